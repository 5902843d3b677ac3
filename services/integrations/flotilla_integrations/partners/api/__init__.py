"""Partners over HTTP."""

from flotilla_integrations.partners.api.deliveries import log_routes
from flotilla_integrations.partners.api.offers import offer_routes
from flotilla_integrations.partners.api.subscriptions import routes

__all__ = ["log_routes", "offer_routes", "routes"]

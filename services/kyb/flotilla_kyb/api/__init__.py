"""kyb over HTTP."""

from flotilla_kyb.api.alerts import alerts
from flotilla_kyb.api.checks import checks
from flotilla_kyb.api.counterparties import counterparties
from flotilla_kyb.api.onboardings import onboardings
from flotilla_kyb.api.sources import sources

__all__ = ["alerts", "checks", "counterparties", "onboardings", "sources"]

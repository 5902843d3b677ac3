"""/v1/partner-events: what can be subscribed to."""

import inspect

from flotilla.http import Routes

from flotilla_integrations.partners.offer import needs_whole_view, offered
from flotilla_integrations.partners.redaction import personal_fields
from flotilla_integrations.partners.schemas import OfferOut

offer_routes = Routes("/v1/partner-events", tag="partners")


@offer_routes.get("", permission="partners:read")
async def list_partner_events() -> list[OfferOut]:
    """Types of events that partners may have, each as contracts/events/<type>.json says."""
    return [
        OfferOut(
            type=type_,
            description=inspect.getdoc(contract.data) or "",
            personal_fields=list(personal_fields(type_)),
            owner=contract.owner,
            restricted=needs_whole_view(type_),
        )
        for type_, contract in offered().items()
    ]

"""Events of integrations: what shops, telephones and other programs of an organization tell."""

from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec

from flotilla.events.base import PERSONAL, Event, Moment, Money, Personal, event

_event = partial(event, owner="integrations")


class BuyerProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Who ordered, as the shop knows them."""

    name: Personal = None
    email: Personal = None
    phone: Personal = None


Buyer = Annotated[BuyerProfile | None, PERSONAL]
"""Personal as a whole."""


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of thing that was ordered."""

    title: str
    sku: str | None
    quantity: int
    unit_price: Money


@_event("commerce.order.changed.v1", subject="order_id", person=("identity_id",))
class CommerceOrderChanged(Event, frozen=True, kw_only=True):
    """An order of a connected shop is new or stands otherwise than before."""

    order_id: UUID
    """Derived from the shop's own id of it."""
    account_id: UUID
    shop: str
    """The connector: `shopify`, `woocommerce`."""
    external_id: str
    number: str
    """What people call it: `#1001`."""
    state: str
    """`pending`, `paid`, `partly_fulfilled`, `fulfilled`, `cancelled`, `refunded` or `deleted`."""
    vendor_state: str
    """In the shop's own words."""
    total: Money
    lines: list[OrderLine]
    """The first hundred."""
    identity_id: UUID
    """Derived from (shop, account, buyer's id there): the person until a contact is known."""
    buyer: Buyer
    placed_at: Moment
    updated_at: Moment


@_event("voice.call.ended.v1", subject="call_id", person=("contact_id", "identity_id"))
class VoiceCallEnded(Event, frozen=True, kw_only=True):
    """A call over a connected telephone is over, or never came about."""

    call_id: UUID
    account_id: UUID
    external_id: str | None
    """The vendor's own id of it; null where it took no call."""
    direction: str
    """`inbound` or `outbound`."""
    contact_id: UUID | None
    """Whom an outbound call was for, where it was said."""
    identity_id: UUID
    """Derived from the number: the person until a contact is known."""
    number: Personal
    """The customer's, in E.164."""
    outcome: str
    """`completed`, or `failed` where nobody was spoken to, or `unconfirmed` where nobody knows."""
    ended_reason: str
    """In the vendor's own words."""
    started_at: Moment | None
    ended_at: Moment
    duration_seconds: int
    cost_usd: str | None
    """A decimal number."""
    summary: Personal
    transcript: Personal
    """At most 8 KB of it; all of it is at `GET /v1/calls/{id}`."""
    recording_url: Personal


Fields = Annotated[dict[str, str | None] | None, PERSONAL]
"""Personal as a whole."""


@_event("external.record.changed.v1", subject="record_id", person=("record_id",))
class ExternalRecordChanged(Event, frozen=True, kw_only=True):
    """A record of a connected CRM is new, has other values, or is gone."""

    record_id: UUID
    """Derived from the CRM's own id of it."""
    account_id: UUID
    system: str
    """The connector: `hubspot`."""
    object_type: str
    """`contact`, `company` or `deal`."""
    external_id: str
    what: str
    """`created`, `updated` or `deleted`."""
    fields: Fields
    """The values now, by the CRM's own names; null once it is deleted."""
    changed_fields: list[str]
    """Names of those that differ from what was told before."""
    updated_at: Moment

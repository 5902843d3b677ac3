"""/v1/suppressions: who has unsubscribed."""

from typing import Literal
from uuid import UUID

from flotilla.http import Page, PageQuery, Routes, Tx, Who
from flotilla.http.sorting import Sort
from flotilla.store.order import Order, both

from flotilla_campaign.api.schemas import SuppressionIn, SuppressionOut
from flotilla_campaign.running import suppress
from flotilla_campaign.store import people

routes = Routes("/v1/suppressions", tag="campaigns")
ByContact = Sort[Literal["contact_id", "-contact_id"]]
BY_CONTACT = both("contact_id", Order(("contact_id",), (UUID,)))


@routes.get("", permission="campaigns:read")
async def list_suppressions(
    tx: Tx, who: Who, query: PageQuery, sort: ByContact = "contact_id"
) -> Page[SuppressionOut]:
    """Everybody who has unsubscribed."""
    order = BY_CONTACT[sort]
    found = await people.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([SuppressionOut(**dict(row)) for row in found], sort, order)


@routes.post("", permission="campaigns:write", status_code=201)
async def suppress_address(wanted: SuppressionIn, tx: Tx, who: Who) -> SuppressionOut:
    """Enter that a person wants no more. What they are in stops; nothing is sent once this is answered.

    Repeating it changes nothing: the first entry stands.
    """
    await people.hold(tx, [(who.org, wanted.contact_id)])
    await suppress(tx, who.org, wanted.contact_id, "requested")
    row = await people.read(tx, who.org, wanted.contact_id)
    assert row is not None
    return SuppressionOut(**dict(row))

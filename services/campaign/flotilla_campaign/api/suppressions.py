"""/v1/suppressions: who has unsubscribed."""

from uuid import UUID

from flotilla.http import Page, PageQuery, Routes, Tx, Who
from flotilla.http.pages import page

from flotilla_campaign.api.schemas import SuppressionIn, SuppressionOut
from flotilla_campaign.running import suppress
from flotilla_campaign.store import people

routes = Routes("/v1/suppressions", tag="campaigns")
FIRST_ID = UUID(int=0)


@routes.get("", permission="campaigns:read")
async def list_suppressions(tx: Tx, who: Who, query: PageQuery) -> Page[SuppressionOut]:
    """Everybody who has unsubscribed."""
    key = query.after(UUID)
    found = await people.listing(tx, who.org, key[0] if key else FIRST_ID, query.limit + 1)
    shown = page(found, query.limit, key=lambda row: (row["contact_id"],))
    return Page(items=[SuppressionOut(**dict(row)) for row in shown.items], next_cursor=shown.next_cursor)


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

"""Deals follow their contacts when crm merges, unmerges and deletes them: real broker, real database."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.crm import ContactDeleted, ContactMerged, ContactUnmerged, ContactUpdated
from flotilla.events.pipeline import DealCreated, DealUpdated
from flotilla.events.privacy import ErasureCompleted, ErasureRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.pipeline.tests.conftest import Json, MakeContact, a_deal, qualified


def _state(contact_id: UUID, **fields: Any) -> dict[str, Any]:
    given = dict.fromkeys(("email", "phone", "language", "company_id", "owner_id"))
    return {**given, "contact_id": contact_id, "name": "Zoë", "tags": [], "source": "manual", **fields}


def _merged(loser: UUID, winner: UUID, merge_id: UUID) -> ContactMerged:
    return ContactMerged(contact_id=loser, into_contact_id=winner, merge_id=merge_id, identity_ids=[])


def _unmerged(loser: UUID, winner: UUID, merge_id: UUID) -> ContactUnmerged:
    back = _state(loser)
    return ContactUnmerged(**back, from_contact_id=winner, merge_id=merge_id, identity_ids=[])


async def _with(harness: Harness, org: UUID, deal: Json, contact: UUID | None) -> None:
    async def there() -> bool:
        found = (await harness.client(org).get(f"/v1/deals/{deal['id']}")).json()
        return bool(found["contact_id"] == (str(contact) if contact else None))

    await eventually(there, what=f"the deal is with {contact}")


async def test_deals_follow_a_merge_and_come_back(
    pipeline: Harness, org: UUID, board: Json, contact: MakeContact
) -> None:
    loser, winner, merge = await contact("Zoë"), await contact("Z. Groß"), new_id()
    deal = await a_deal(pipeline, org, contact_id=str(loser))
    await pipeline.publish(_merged(loser, winner, merge), org=org, sequence=2)
    await _with(pipeline, org, deal, winner)
    told = await pipeline.spy.expect(DealUpdated, lambda event: event.org == org)
    assert told.data.changed == {"contact_id": [str(loser), str(winner)]}
    late = ContactUpdated(**_state(loser))
    await pipeline.publish(late, org=org, sequence=1)
    refused = await pipeline.client(org).post("/v1/deals", {"title": "Mugs", "contact_id": str(loser)})
    assert refused.status == 422
    await pipeline.publish(_unmerged(loser, winner, merge), org=org, sequence=3)
    await _with(pipeline, org, deal, loser)


async def test_a_merge_that_comes_after_its_undoing_changes_nothing(
    pipeline: Harness, org: UUID, board: Json, contact: MakeContact
) -> None:
    loser, winner, merge = await contact("Zoë"), await contact("Z. Groß"), new_id()
    deal = await a_deal(pipeline, org, contact_id=str(loser))
    await pipeline.publish(_unmerged(loser, winner, merge), org=org, sequence=3)
    await pipeline.publish(_merged(loser, winner, merge), org=org, sequence=2)
    other = await a_deal(pipeline, org, contact_id=str(winner))
    await pipeline.publish(ContactDeleted(contact_id=winner, identity_ids=[]), org=org, sequence=2)
    await _with(pipeline, org, other, None)
    await _with(pipeline, org, deal, loser)


async def test_of_two_open_deals_each_stays(
    pipeline: Harness, org: UUID, board: Json, contact: MakeContact
) -> None:
    loser, winner = await contact("Zoë"), await contact("Z. Groß")
    deal = await a_deal(pipeline, org, contact_id=str(loser))
    own = await a_deal(pipeline, org, contact_id=str(winner))
    await pipeline.publish(_merged(loser, winner, new_id()), org=org, sequence=2)
    lead = qualified(loser)
    await pipeline.publish(lead, org=org)
    await pipeline.publish(ContactDeleted(contact_id=winner, identity_ids=[]), org=org, sequence=2)
    await _with(pipeline, org, own, None)
    await _with(pipeline, org, deal, loser)


async def test_a_late_lead_of_a_merged_contact_is_the_others(
    pipeline: Harness, org: UUID, board: Json, contact: MakeContact
) -> None:
    loser, winner = await contact("Zoë"), new_id()
    await pipeline.publish(_merged(loser, winner, new_id()), org=org, sequence=2)
    await pipeline.publish(qualified(loser), org=org)
    await pipeline.publish(ContactUpdated(**_state(winner, name="Z. Groß")), org=org, sequence=2)
    opened = await pipeline.spy.expect(DealCreated, lambda event: event.org == org)
    # Whichever of the two lanes was first: the deal is opened with who they are now, or follows.
    await _with(pipeline, org, {"id": opened.data.deal_id}, winner)


async def test_a_deal_whose_contact_went_first_is_forgotten_all_the_same(
    pipeline: Harness, org: UUID, board: Json, contact: MakeContact
) -> None:
    """crm may be done with an erasure, and have said so, before it is this service's turn."""
    gone = await contact("Wilhelmina")
    deal = await a_deal(pipeline, org, title="Kettles for Wilhelmina", contact_id=str(gone))
    await pipeline.publish(ContactDeleted(contact_id=gone, identity_ids=[]), org=org, sequence=2)
    await _with(pipeline, org, deal, None)
    wish = ErasureRequested(
        request_id=new_id(),
        kind="contact",
        contact_ids=[gone],
        identity_ids=[],
        user_ids=[],
        services=["pipeline"],
        attempt=1,
        asked_at=datetime.now(UTC),
    )
    await pipeline.publish(wish, org=org, sequence=1, cause=Cause.fresh())
    done = await pipeline.spy.expect(ErasureCompleted, lambda event: event.org == org)
    assert done.data.erased["deals"] == 1
    assert (await pipeline.client(org).get(f"/v1/deals/{deal['id']}")).json()["title"] == "[erased]"

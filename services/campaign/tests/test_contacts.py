"""Sequences follow what crm says of people: consent withdrawn, contacts merged and deleted. Real servers."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flotilla.events.campaign import ContactUnsubscribed, SequenceStopped
from flotilla.events.crm import ConsentChanged, ContactDeleted, ContactMerged
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.campaign.tests.conftest import WAIT, Stands, enrolled, published


def _consent(contact_id: UUID, **fields: Any) -> ConsentChanged:
    given: dict[str, Any] = {
        "consent_id": new_id(),
        "contact_id": contact_id,
        "channel": "email",
        "purpose": "marketing",
        "state": "withdrawn",
        "legal_basis": "consent",
        "source": "form",
        "evidence": None,
        "said_at": datetime.now(UTC),
    }
    return ConsentChanged(**given | fields)


def _merged(loser: UUID, winner: UUID) -> ContactMerged:
    return ContactMerged(contact_id=loser, into_contact_id=winner, merge_id=new_id(), identity_ids=[])


async def test_consent_withdrawn_closes_sending(campaign: Harness, org: UUID, stands: Stands) -> None:
    sequence, person, other = await published(campaign, org, steps=[WAIT]), new_id(), new_id()
    made = await enrolled(campaign, org, sequence, contact_id=str(person))
    kept = await enrolled(campaign, org, sequence, contact_id=str(other))
    for harmless in (
        _consent(other, state="granted"),
        _consent(other, purpose="analytics"),
    ):
        await campaign.publish(harmless, org=org)
    event = _consent(person)
    cause = await campaign.publish(event, org=org)
    await campaign.publish(event, org=org, event_id=cause)
    await stands(made["id"], state="stopped", reason="unsubscribed")
    told = await campaign.spy.expect(ContactUnsubscribed, lambda event: event.org == org)
    assert (told.data.contact_id, told.data.reason, told.envelope.causationid) == (
        person,
        "withdrawn",
        cause,
    )
    await stands(kept["id"], state="active")
    body = {"contact_id": str(person), "conversation_id": str(new_id())}
    again = await campaign.client(org).post(f"/v1/sequences/{sequence}/enrolments", body)
    assert again.status == 409


async def test_a_merged_contact_goes_on_as_the_other_once(
    campaign: Harness, org: UUID, stands: Stands
) -> None:
    loser, winner = new_id(), new_id()
    both, alone = [await published(campaign, org, steps=[WAIT]) for _ in range(2)]
    twice = await enrolled(campaign, org, both, contact_id=str(loser))
    await enrolled(campaign, org, both, contact_id=str(winner))
    goes_on = await enrolled(campaign, org, alone, contact_id=str(loser))
    await campaign.publish(_merged(loser, winner), org=org, sequence=2)
    await stands(twice["id"], state="stopped", reason="merged")
    await stands(goes_on["id"], state="active", contact_id=str(winner))
    stopped = await campaign.spy.expect(SequenceStopped, lambda event: event.org == org)
    assert stopped.data.reason == "merged"


async def test_what_one_of_two_did_not_want_neither_gets(
    campaign: Harness, org: UUID, stands: Stands
) -> None:
    loser, winner = new_id(), new_id()
    sequence = await published(campaign, org, steps=[WAIT])
    made = await enrolled(campaign, org, sequence, contact_id=str(winner))
    unsubscribed = await campaign.client(org).post("/v1/suppressions", {"contact_id": str(loser)})
    assert unsubscribed.status == 201
    await campaign.publish(_merged(loser, winner), org=org, sequence=2)
    await stands(made["id"], state="stopped", reason="unsubscribed")


async def test_nobody_writes_to_a_deleted_contact(campaign: Harness, org: UUID, stands: Stands) -> None:
    person = new_id()
    made = await enrolled(campaign, org, await published(campaign, org), contact_id=str(person))
    await campaign.publish(ContactDeleted(contact_id=person, identity_ids=[]), org=org, sequence=2)
    await stands(made["id"], state="stopped", reason="deleted")

    async def quiet() -> bool:
        sql = "SELECT count(*) FROM listening WHERE organization_id = $1 AND over_at IS NULL"
        return bool(await campaign.app.db.fetchval(sql, org) == 0)

    await eventually(quiet, what="nobody of theirs is listened for")

"""A qualified lead gets its name, whenever crm comes to know it: real broker, real database."""

from datetime import UTC, datetime
from uuid import UUID

from flotilla.events.ai import LeadQualified
from flotilla.events.base import Money
from flotilla.events.crm import ContactCreated, LeadCreated
from flotilla.ids import new_id
from flotilla.testing import Harness

from services.crm.tests.conftest import received

BUDGET = Money(amount_minor=1_200_000, currency="EUR")


def qualified(identity_id: UUID) -> LeadQualified:
    """What ai says of somebody whose first message said it all."""
    return LeadQualified(
        qualification_id=new_id(),
        conversation_id=new_id(),
        identity_id=identity_id,
        contact_id=None,
        score=75,
        confidence=0.9,
        signals=[],
        budget=BUDGET,
        model="bant-1",
        qualified_at=datetime.now(UTC),
    )


async def test_a_lead_known_by_its_identity_gets_its_contact(crm: Harness, org: UUID) -> None:
    identity = new_id()
    await crm.publish(received(identity), org=org)
    created = await crm.spy.expect(ContactCreated, lambda event: event.org == org)
    lead = qualified(identity)
    cause = await crm.publish(lead, org=org)
    await crm.publish(lead, org=org, event_id=cause)
    named = await crm.spy.expect(LeadCreated, lambda event: event.org == org)
    assert (named.data.lead_id, named.data.contact_id) == (lead.qualification_id, created.data.contact_id)
    assert (named.data.name, named.data.budget) == (created.data.name, BUDGET)
    assert named.envelope.causationid == cause
    entries = (await crm.client(org).get(f"/v1/contacts/{created.data.contact_id}/timeline")).json()["items"]
    assert [item["reference_id"] for item in entries if item["kind"] == "lead.created"] == [
        str(lead.qualification_id)
    ]
    await crm.app.relay.drained(5)
    assert len({event.id for event in crm.spy.of(LeadCreated, org)}) == 1


async def test_a_lead_that_comes_before_its_person_waits(crm: Harness, org: UUID) -> None:
    identity = new_id()
    lead = qualified(identity)
    await crm.publish(lead, org=org)
    await crm.publish(received(identity), org=org)
    named = await crm.spy.expect(LeadCreated, lambda event: event.org == org)
    created = await crm.spy.expect(ContactCreated, lambda event: event.org == org)
    assert named.data.contact_id == created.data.contact_id

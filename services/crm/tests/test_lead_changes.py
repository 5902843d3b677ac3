"""What becomes of leads: scored, given to somebody, changed, converted; on real servers."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.ai import LeadQualified, Signal
from flotilla.events.base import Money
from flotilla.events.crm import ContactCreated, LeadCreated
from flotilla.events.leads import LeadConverted, LeadRouted, LeadScored, LeadUpdated
from flotilla.events.messaging import MessageRequested
from flotilla.events.pipeline import DealClosed
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from msgspec.structs import replace

from services.crm.tests.bookings import heard
from services.crm.tests.conftest import Colleague, received
from services.crm.tests.messages import sent

Json = dict[str, Any]
TONIGHT = "UPDATE jobs SET due_at = now() WHERE organization_id = $1 AND kind = 'leads_age'"


@dataclass(frozen=True)
class Qualified:
    """A lead, and whose it is."""

    lead: str
    contact: str
    identity: UUID


async def a_lead(crm: Harness, org: UUID, *, wrote: timedelta = timedelta(0), **fields: Any) -> Qualified:
    """Somebody writes, and ai says that they may well buy."""
    identity = new_id()
    await crm.publish(received(identity, sent_at=datetime.now(UTC) - wrote), org=org)
    given: Json = {
        "qualification_id": new_id(),
        "conversation_id": new_id(),
        "identity_id": identity,
        "contact_id": None,
        "score": 75,
        "confidence": 0.9,
        "signals": [Signal(question="need", score=100, confidence=1, evidence=[])],
        "budget": None,
        "model": "bant-1",
        "qualified_at": datetime.now(UTC),
    }
    qualified = LeadQualified(**given | fields)
    await crm.publish(qualified, org=org)
    scored = await heard(crm, org, LeadScored, lambda data: data.lead_id == qualified.qualification_id)
    return Qualified(str(qualified.qualification_id), str(scored.data.contact_id), identity)


def closed(contact: str, **fields: Any) -> DealClosed:
    """As pipeline tells of it."""
    now = datetime.now(UTC)
    given: Json = {
        "deal_id": new_id(),
        "pipeline_id": new_id(),
        "stage_id": new_id(),
        "title": "200 mugs",
        "state": "closed",
        "value": Money(amount_minor=100, currency="EUR"),
        "probability": 100,
        "contact_id": UUID(contact),
        "company_id": None,
        "conversation_id": None,
        "owner_id": None,
        "expected_close_on": None,
        "source": "lead",
        "loss_reason": None,
        "entered_stage_at": now,
        "created_at": now,
        "ended_at": now,
        "saga_id": new_id(),
    }
    return DealClosed(**given | fields)


async def shown(crm: Harness, org: UUID, lead: Qualified) -> Json:
    found: Json = (await crm.client(org).get(f"/v1/leads/{lead.lead}")).json()
    return found


def _points(lead: Json) -> dict[str, int]:
    return {reason["rule"]: reason["points"] for reason in lead["reasons"] if reason["points"]}


async def test_a_lead_is_scored_with_reasons_and_again_as_more_is_known(crm: Harness, org: UUID) -> None:
    lead = await a_lead(crm, org)
    created = await heard(crm, org, LeadCreated)
    first = await heard(crm, org, LeadScored)
    assert (created.sequence, first.sequence) == (1, 2)
    assert first.envelope.causationid == created.envelope.causationid
    assert first.data.changed == {"score": [0, 35]}
    found = await shown(crm, org, lead)
    assert (found["score"], found["status"], found["owner_id"]) == (35, "new", None)
    assert _points(found) == {"need": 15, "completeness": 5, "recency": 15}

    client = crm.client(org)
    company = (await client.post("/v1/companies", {"name": "Ink", "custom_fields": {"employees": 60}})).json()
    patch = {"email": "zoe@example.org", "company_id": company["id"]}
    await client.patch(f"/v1/contacts/{lead.contact}", patch)
    second = await heard(crm, org, LeadScored, lambda data: data.score == 55)
    assert {reason.rule: reason.points for reason in second.data.reasons}["company_size"] == 10
    await client.patch(f"/v1/companies/{company['id']}", {"custom_fields": {"employees": 300}})
    await heard(crm, org, LeadScored, lambda data: data.score == 60)
    await client.patch(f"/v1/companies/{company['id']}", {"custom_fields": {"employees": "many"}})
    await heard(crm, org, LeadScored, lambda data: data.score == 45)
    # What counts for nothing is told to nobody.
    await client.patch(f"/v1/contacts/{lead.contact}", {"language": "de"})
    await client.patch(f"/v1/contacts/{lead.contact}", {"phone": "+4930901820"})
    await heard(crm, org, LeadScored, lambda data: data.score == 50)
    assert [event.data.score for event in crm.spy.of(LeadScored, org)] == [35, 55, 60, 45, 50]


async def test_what_was_said_loses_weight_overnight_until_an_answer_goes_out(crm: Harness, org: UUID) -> None:
    lead = await a_lead(crm, org)
    async with crm.app.db.transaction(org) as tx:
        await tx.execute("UPDATE timeline_entries SET at = at - interval '8 days'")
    await crm.app.db.execute(TONIGHT, org)
    old = await heard(crm, org, LeadScored, lambda data: data.score == 25)
    assert old.data.changed == {"score": [35, 25]}
    due = await crm.app.db.fetchval("SELECT due_at FROM jobs WHERE organization_id = $1", org)
    assert due > datetime.now(UTC)
    wish = MessageRequested(request_id=new_id(), conversation_id=None, contact_id=None, text="Hello")
    await crm.publish(replace(sent(wish), identity_id=lead.identity), org=org)
    await heard(crm, org, LeadScored, lambda data: data.changed == {"score": [25, 35]})


async def _routing(crm: Harness, org: UUID, mode: str, *members: UUID, first: bool = True) -> None:
    body = {"mode": mode, "contact_owner_first": first, "member_ids": [str(id_) for id_ in members]}
    answer = await crm.client(org).put("/v1/leads/routing", body)
    assert answer.status == 200, answer.body


async def test_leads_are_given_in_turns(crm: Harness, org: UUID, colleague: Colleague) -> None:
    members = [await colleague() for _ in range(3)]
    await _routing(crm, org, "round_robin", *members)
    await asyncio.gather(*(a_lead(crm, org) for _ in range(6)))

    async def all_given() -> list[str] | None:
        items = (await crm.client(org).get("/v1/leads")).json()["items"]
        owners = [item["owner_id"] for item in items]
        return owners if len(owners) == 6 and all(owners) else None

    owners = await eventually(all_given, what="each lead is somebody's")
    assert owners is not None
    assert sorted(owners) == sorted([str(id_) for id_ in members] * 2)
    routed = await heard(crm, org, LeadRouted)
    assert (routed.data.rule, routed.sequence) == ("round_robin", 3)
    assert routed.data.changed == {"owner_id": [None, str(routed.data.owner_id)]}
    await crm.app.relay.drained(5)
    assert len({event.data.lead_id for event in crm.spy.of(LeadRouted, org)}) == 6


async def test_who_has_least_to_do_is_given_the_lead(crm: Harness, org: UUID, colleague: Colleague) -> None:
    busy, idle = await colleague(), await colleague()
    await _routing(crm, org, "least_loaded", busy)
    for _ in range(2):
        lead = await a_lead(crm, org)
        await heard(crm, org, LeadRouted, lambda data, lead=lead: str(data.lead_id) == lead.lead)
    await _routing(crm, org, "least_loaded", busy, idle)
    lead = await a_lead(crm, org)
    routed = await heard(crm, org, LeadRouted, lambda data: str(data.lead_id) == lead.lead)
    assert (routed.data.owner_id, routed.data.rule) == (idle, "least_loaded")


async def test_a_lead_goes_to_whose_contact_it_is(crm: Harness, org: UUID, colleague: Colleague) -> None:
    taker, owner = await colleague(), await colleague()
    await _routing(crm, org, "round_robin", taker)
    first = await a_lead(crm, org)
    await crm.client(org).patch(f"/v1/contacts/{first.contact}", {"owner_id": str(owner)})
    second = new_id()
    await crm.publish(
        LeadQualified(
            qualification_id=second,
            conversation_id=new_id(),
            identity_id=first.identity,
            contact_id=UUID(first.contact),
            score=75,
            confidence=0.9,
            signals=[],
            budget=None,
            model="bant-1",
            qualified_at=datetime.now(UTC),
        ),
        org=org,
    )
    routed = await heard(crm, org, LeadRouted, lambda data: data.lead_id == second)
    assert (routed.data.owner_id, routed.data.rule) == (owner, "contact_owner")
    assert (await shown(crm, org, first))["owner_id"] == str(taker)


async def test_without_a_rule_leads_are_nobodys(crm: Harness, org: UUID, colleague: Colleague) -> None:
    client = crm.client(org)
    none = await client.get("/v1/leads/routing")
    assert none.json() == {"mode": "off", "contact_owner_first": True, "member_ids": []}
    lead = await a_lead(crm, org)
    assert (await shown(crm, org, lead))["owner_id"] is None
    member = str(await colleague())
    body = {"mode": "round_robin", "member_ids": [member, str(new_id())]}
    wrong = await client.put("/v1/leads/routing", body)
    assert (wrong.status, wrong.json()["errors"][0]["pointer"]) == (422, "/member_ids/1")
    assert (await crm.client(org, role="team_member").put("/v1/leads/routing", {"mode": "off"})).status == 403
    set_ = await client.put("/v1/leads/routing", {"mode": "round_robin", "member_ids": [member]})
    assert set_.json()["member_ids"] == [member]
    stale = await client.put("/v1/leads/routing", {"mode": "off"}, headers={"If-Match": '"0"'})
    assert stale.status == 412
    assert not crm.spy.of(LeadRouted, org)


async def test_people_change_leads(crm: Harness, org: UUID, colleague: Colleague) -> None:
    client, lead, owner = crm.client(org), await a_lead(crm, org), str(await colleague())
    path = f"/v1/leads/{lead.lead}"
    read = await client.get(path)
    patch = {"owner_id": owner, "status": "working", "source": "trade-fair"}
    changed = await client.patch(path, patch, headers={"If-Match": read.headers["ETag"]})
    assert {name: changed.json()[name] for name in patch} == patch
    told = await heard(crm, org, LeadUpdated)
    assert told.data.changed["status"] == ["new", "working"]
    assert told.data.changed["source"] == ["conversation", "trade-fair"]
    same = await client.patch(path, patch)
    assert (same.status, same.headers["ETag"]) == (200, changed.headers["ETag"])
    for wrong in ({"owner_id": str(new_id())}, {"status": "converted"}, {"source": "A b"}, {"score": 100}):
        assert (await client.patch(path, wrong)).status == 422
    assert (await client.patch(path, {"status": "new"}, headers={"If-Match": '"1"'})).status == 412
    assert (await crm.client(org, role="viewer").patch(path, patch)).status == 403
    stranger = crm.client(new_id())
    for answer in (
        await stranger.get(path),
        await stranger.patch(path, patch),
        await stranger.post(f"{path}/convert"),
    ):
        assert answer.status == 404
    assert (await stranger.get("/v1/leads")).json()["items"] == []


async def test_leads_are_listed_by_score(crm: Harness, org: UUID) -> None:
    ages = [timedelta(days=days) for days in (2, 0, 40)]
    leads = [await a_lead(crm, org, wrote=age) for age in ages]
    client = crm.client(org)
    seen: list[tuple[str, int]] = []
    cursor = ""
    while True:
        answer = (await client.get(f"/v1/leads?status=new&limit=1{cursor}")).json()
        seen += [(item["id"], item["score"]) for item in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == [(leads[1].lead, 35), (leads[0].lead, 30), (leads[2].lead, 20)]
    of_contact = (await client.get(f"/v1/leads?contact_id={leads[0].contact}")).json()["items"]
    assert [item["id"] for item in of_contact] == [leads[0].lead]
    assert (await client.get("/v1/leads?source=fair")).json()["items"] == []
    assert (await client.get(f"/v1/leads?owner_id={new_id()}")).json()["items"] == []


async def test_a_closed_deal_converts_its_lead_once(crm: Harness, org: UUID) -> None:
    lead, other = await a_lead(crm, org), await a_lead(crm, org)
    deal = closed(lead.contact)
    cause = await crm.publish(deal, org=org)
    await crm.publish(deal, org=org, event_id=cause)
    converted = await heard(crm, org, LeadConverted)
    assert (str(converted.data.lead_id), converted.data.deal_id) == (lead.lead, deal.deal_id)
    assert converted.data.changed == {"status": ["new", "converted"]}
    assert converted.envelope.causationid == cause
    client = crm.client(org)
    late = await client.patch(f"/v1/leads/{lead.lead}", {"status": "working"})
    assert late.status == 409
    await crm.publish(closed(lead.contact), org=org)
    await crm.publish(closed(other.contact), org=org)
    await heard(crm, org, LeadConverted, lambda data: str(data.lead_id) == other.lead)
    assert len(crm.spy.of(LeadConverted, org)) == 2
    assert (await shown(crm, org, lead))["deal_id"] == str(deal.deal_id)
    kinds = [
        entry["kind"] for entry in (await client.get(f"/v1/contacts/{lead.contact}/timeline")).json()["items"]
    ]
    assert kinds.count("lead.converted") == 1


async def test_a_deal_that_was_closed_before_they_were_a_lead_converts_nothing(
    crm: Harness, org: UUID
) -> None:
    lead, other = await a_lead(crm, org), await a_lead(crm, org)
    await crm.publish(closed(lead.contact, ended_at=datetime.now(UTC) - timedelta(days=1)), org=org)
    await crm.publish(closed(lead.contact, contact_id=None), org=org)
    await crm.publish(closed(other.contact), org=org)
    await heard(crm, org, LeadConverted, lambda data: str(data.lead_id) == other.lead)
    assert (await shown(crm, org, lead))["status"] == "new"


@pytest.mark.parametrize("with_deal", [True, False])
async def test_a_lead_is_converted_by_hand(crm: Harness, org: UUID, with_deal: bool) -> None:
    lead, deal = await a_lead(crm, org), str(new_id()) if with_deal else None
    path = f"/v1/leads/{lead.lead}/convert"
    first = await crm.client(org).post(path, {"deal_id": deal} if with_deal else None)
    assert (first.json()["status"], first.json()["deal_id"]) == ("converted", deal)
    assert first.json()["converted_at"] is not None
    again = await crm.client(org).post(path)
    assert (again.status, again.headers["ETag"]) == (200, first.headers["ETag"])
    await heard(crm, org, LeadConverted)
    assert len(crm.spy.of(LeadConverted, org)) == 1
    # What is said of them afterwards does not change its score.
    await crm.client(org).patch(f"/v1/contacts/{lead.contact}", {"email": "zoe@example.org"})
    fresh = await a_lead(crm, org)
    assert (await shown(crm, org, lead))["score"] == (await shown(crm, org, fresh))["score"]


async def test_leads_go_where_their_contact_goes(crm: Harness, org: UUID) -> None:
    lead, other = await a_lead(crm, org), await a_lead(crm, org)
    await heard(crm, org, ContactCreated)
    client = crm.client(org)
    assert (await client.delete(f"/v1/contacts/{lead.contact}")).status < 300
    assert (await client.get(f"/v1/leads/{lead.lead}")).status == 404
    assert (await shown(crm, org, other))["status"] == "new"

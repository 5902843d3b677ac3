"""Consent is asked for before anybody is enrolled and before each message, by the law of their region."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.events.campaign import ConsentRuleChanged, SequenceStopped
from flotilla.events.crm import ConsentChanged, ContactLocated
from flotilla.events.messaging import MessageRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.campaign.tests.conftest import HELLO, published

RULE = "/v1/consent-rule"
WHY = "Customers of our shop, each told how to object"


async def _said(
    campaign: Harness, org: UUID, contact_id: UUID, state: str = "granted", days: int = 0, **more: Any
) -> None:
    """Crm tells it, and campaign knows."""
    said: dict[str, Any] = {
        "consent_id": new_id(),
        "contact_id": contact_id,
        "channel": "email",
        "purpose": "marketing",
        "state": state,
        "legal_basis": "consent",
        "source": "form",
        "evidence": None,
        "said_at": datetime.now(UTC) - timedelta(days=days),
    } | more
    await campaign.publish(ConsentChanged(**said), org=org)

    async def known() -> bool:
        async with campaign.app.db.transaction(org) as tx:
            return bool(
                await tx.fetchval("SELECT true FROM marketing_consents WHERE id = $1", said["consent_id"])
            )

    await eventually(known, what="campaign knows what was said")


async def _enrols(campaign: Harness, org: UUID, sequence: str, contact_id: UUID) -> tuple[int, str]:
    body = {"contact_id": str(contact_id), "conversation_id": str(new_id())}
    answer = await campaign.client(org).post(f"/v1/sequences/{sequence}/enrolments", body)
    return answer.status, str(answer.json().get("detail"))


async def _enrols_in(campaign: Harness, org: UUID, sequence: str, zone: str) -> int:
    body = {"contact_id": str(new_id()), "conversation_id": str(new_id()), "time_zone": zone}
    return (await campaign.client(org).post(f"/v1/sequences/{sequence}/enrolments", body)).status


async def test_without_any_setting_consent_is_asked_for(campaign: Harness, org: UUID) -> None:
    client, sequence = campaign.client(org), await published(campaign, org, known=False)
    before = await client.get(RULE)
    assert (before.json()["region"], before.json()["known"]) == (campaign.app.settings.region, False)
    assert before.json()["unasked"] == []
    assert before.json()["sources"]
    status, why = await _enrols(campaign, org, sequence, new_id())
    assert status == 409
    assert "ePrivacy" in why
    agreed = new_id()
    await _said(campaign, org, agreed)
    assert (await _enrols(campaign, org, sequence, agreed))[0] == 201
    wish = await campaign.spy.expect(MessageRequested, lambda event: event.org == org)
    assert wish.data.channels == ["email"], "they agreed to that one"


async def test_a_reason_loosens_it_where_the_law_knows_ones_own_customers(
    campaign: Harness, org: UUID
) -> None:
    client, sequence = campaign.client(org), await published(campaign, org, known=False)
    loose = {"region": "uk", "known": True}
    assert (await client.put(RULE, loose)).status == 422, "no reason"
    assert (await client.put(RULE, {**loose, "reason": WHY, "strict": True})).status == 422
    assert (await client.put(RULE, {**loose, "reason": WHY, "region": "ca"})).status == 422
    assert (await client.put(RULE, {**loose, "reason": WHY})).json()["reason"] == WHY
    told = await campaign.spy.expect(ConsentRuleChanged, lambda event: event.org == org)
    assert (told.data.known, told.data.reason) == (True, WHY)
    assert told.data.changed["known"] == [False, True]
    assert (told.envelope.actor or "").startswith("user:")
    assert (await _enrols(campaign, org, sequence, new_id()))[0] == 201
    wish = await campaign.spy.expect(MessageRequested, lambda event: event.org == org)
    assert wish.data.channels is None


async def test_americans_are_written_mails_until_they_object_and_who_lives_elsewhere_is_asked(
    campaign: Harness, org: UUID
) -> None:
    client, sequence = campaign.client(org), await published(campaign, org, known=False)
    assert (await client.put(RULE, {"region": "us"})).json()["unasked"] == ["email"]
    assert await _enrols_in(campaign, org, sequence, "Europe/Berlin") == 409
    assert await _enrols_in(campaign, org, sequence, "America/Toronto") == 409
    assert await _enrols_in(campaign, org, sequence, "America/Chicago") == 201
    wish = await campaign.spy.expect(MessageRequested, lambda event: event.org == org)
    assert wish.data.channels == ["email"]


async def test_by_canadas_law_what_was_implied_runs_out(campaign: Harness, org: UUID) -> None:
    client, sequence = campaign.client(org), await published(campaign, org, known=False)
    assert (await client.put(RULE, {"region": "ca"})).status == 200
    status, why = await _enrols(campaign, org, sequence, new_id())
    assert status == 409
    assert "CASL" in why

    agreed, inquired, bought = new_id(), new_id(), new_id()
    await _said(campaign, org, agreed, days=4000)
    assert (await _enrols(campaign, org, sequence, agreed))[0] == 201
    await _said(campaign, org, inquired, days=200, legal_basis="legitimate_interest")
    assert (await _enrols(campaign, org, sequence, inquired))[0] == 409, "an inquiry is good for six months"
    await _said(campaign, org, bought, days=200, legal_basis="contract")
    assert (await _enrols(campaign, org, sequence, bought))[0] == 201, "a purchase for two years"


async def test_what_is_under_way_stops_where_the_rule_no_longer_lets_it(campaign: Harness, org: UUID) -> None:
    sequence = await published(campaign, org, steps=[{"type": "wait", "amount": 1, "unit": "minutes"}, HELLO])
    contact = new_id()
    assert (await _enrols(campaign, org, sequence, contact))[0] == 201
    assert (await campaign.client(org).put(RULE, {"region": "eu", "strict": True})).status == 200
    await campaign.app.db.execute(
        "UPDATE jobs SET due_at = now() WHERE organization_id = $1 AND kind = 'step_due'", org
    )
    stopped = await campaign.spy.expect(SequenceStopped, lambda event: event.org == org)
    assert stopped.data.reason == "no_consent"


async def test_a_telephone_number_says_whose_law_where_no_time_zone_does(
    campaign: Harness, org: UUID
) -> None:
    client, sequence = campaign.client(org), await published(campaign, org, known=False)
    assert (await client.put(RULE, {"region": "us"})).status == 200
    european = new_id()
    await campaign.publish(ContactLocated(contact_id=european, region="eu"), org=org, sequence=1)

    async def known() -> bool:
        async with campaign.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT count(*) FROM contact_regions"))

    await eventually(known, what="campaign knows where they live")
    status, why = await _enrols(campaign, org, sequence, european)
    assert (status, "GDPR" in why) == (409, True), why
    body = {"contact_id": str(european), "conversation_id": str(new_id()), "time_zone": "America/Chicago"}
    assert (await client.post(f"/v1/sequences/{sequence}/enrolments", body)).status == 201, (
        "their zone says more"
    )

"""Consent by region: which bases count, for how long, and what a refusal says."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.campaign import SequenceStopped
from flotilla.events.crm import ConsentChanged
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla_campaign.domain.consent import RULES, Said, explained, refusal, rule_of

from services.campaign.tests.conftest import HELLO, published

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def _once(basis: str, days: int, state: str = "granted") -> Said:
    return Said("any", state, basis, NOW - timedelta(days=days))


@pytest.mark.parametrize(
    ("region", "said", "strict", "why"),
    [
        ("eu", [], False, None),
        ("eu", [], True, "no_consent"),
        ("eu", [_once("consent", 4000)], True, None),
        ("eu", [_once("legal_obligation", 1)], False, "no_consent"),
        ("eu", [_once("consent", 1), _once("consent", 1, "withdrawn")], False, "withdrawn"),
        ("ca", [_once("consent", 4000)], True, None),
        ("ca", [_once("contract", 700)], True, None),
        ("ca", [_once("contract", 740)], False, "consent_expired"),
        ("ca", [_once("legitimate_interest", 180)], True, None),
        ("ca", [_once("legitimate_interest", 190)], True, "consent_expired"),
        ("ca", [_once("contract", 740), _once("consent", 800)], True, None),
        ("us", [], False, None),
        ("us", [], True, "no_consent"),
        ("us", [_once("legal_obligation", 1)], True, None),
        ("us", [_once("consent", 1, "withdrawn")], False, "withdrawn"),
        ("xx", [_once("legal_obligation", 1)], False, "no_consent"),
    ],
)
def test_who_may_be_written_to(region: str, said: list[Said], strict: bool, why: str | None) -> None:
    assert refusal(region, said, NOW, strict=strict) == why


def test_every_rule_says_where_it_comes_from_and_a_refusal_says_which() -> None:
    for region, rule in RULES.items():
        assert rule.sources
        assert rule.law in explained(region, "no_consent")
    assert rule_of("elsewhere") is RULES["eu"], "where no rule is known, the strictest"


RULE = "/v1/consent-rule"


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


async def test_strict_means_that_nobody_is_written_to_without_consent(campaign: Harness, org: UUID) -> None:
    client, sequence = campaign.client(org), await published(campaign, org)
    before = await client.get(RULE)
    assert (before.json()["region"], before.json()["strict"]) == (campaign.app.settings.region, False)
    assert before.json()["sources"]
    assert (await _enrols(campaign, org, sequence, new_id()))[0] == 201

    assert (await client.put(RULE, {"region": "ca", "strict": True})).status == 200
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

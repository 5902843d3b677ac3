"""A rule's message that promotes is asked what a campaign's is; one that answers is not."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.events.campaign import ConsentRuleChanged
from flotilla.events.crm import ConsentChanged, ContactLocated
from flotilla.events.messaging import MessageRefused, MessageRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.automation.tests.conftest import Rule, Runs, received

SALE: dict[str, Any] = {"type": "send_message", "text": "Our summer sale!", "purpose": "promotion"}


def _consent(contact_id: UUID, state: str = "granted", channel: str = "any") -> ConsentChanged:
    return ConsentChanged(
        consent_id=new_id(),
        contact_id=contact_id,
        channel=channel,
        purpose="marketing",
        state=state,
        legal_basis="consent",
        source="form",
        evidence=None,
        said_at=datetime.now(UTC),
    )


async def _holds(automation: Harness, org: UUID, table: str, rows: int) -> None:
    async def so() -> bool:
        async with automation.app.db.transaction(org) as tx:
            return bool(await tx.fetchval(f"SELECT count(*) = $1 FROM {table}", rows))

    await eventually(so, what=f"automation has {rows} of {table}")


async def _asked(automation: Harness, org: UUID, contact_id: UUID) -> Received[MessageRequested]:
    return await automation.spy.expect(
        MessageRequested, lambda event: (event.org, event.data.contact_id) == (org, contact_id)
    )


async def _why_not(automation: Harness, org: UUID, rule_id: str, event_id: UUID) -> str:
    """Why the run of an event ended without a step."""
    client = automation.client(org)

    async def ended() -> str | None:
        runs = (await client.get(f"/v1/rules/{rule_id}/runs")).json()["items"]
        return next((each["id"] for each in runs if each["event_id"] == str(event_id)), None)

    run = (await client.get(f"/v1/runs/{await eventually(ended, what='it ran')}")).json()
    assert (run["state"], run["steps"]) == ("failed", []), run
    return str(run["reason"])


async def test_a_promotion_is_asked_what_a_campaign_is_by_region_and_channel(
    automation: Harness, org: UUID, rule: Rule
) -> None:
    agreed, by_mail, withdrew, silent, european = (new_id() for _ in range(5))
    for said in (_consent(agreed), _consent(by_mail, channel="email"), _consent(withdrew, "withdrawn")):
        await automation.publish(said, org=org, sequence=1)
    await _holds(automation, org, "marketing_consents", 3)
    made = await rule(actions=[SALE])

    refused = {
        silent: "refused: no_consent: They may not be written to: they have agreed to nothing",
        withdrew: "refused: withdrawn: They do not want to be written to",
        None: "refused: no_consent",
    }
    for contact_id, why in refused.items():
        event_id = await automation.publish(received(contact_id=contact_id), org=org)
        assert (await _why_not(automation, org, made["id"], event_id)).startswith(why)
    for contact_id, channels in ((agreed, None), (by_mail, ["email"])):
        await automation.publish(received(contact_id=contact_id), org=org)
        wish = await _asked(automation, org, contact_id)
        assert (wish.data.purpose, wish.data.channels) == ("promotion", channels)

    await automation.publish(ContactLocated(contact_id=european, region="eu"), org=org, sequence=1)
    american = ConsentRuleChanged(organization_id=org, region="us", strict=False, known=False, reason=None)
    await automation.publish(american, org=org, sequence=1)
    await _holds(automation, org, "contact_regions", 1)
    await _holds(automation, org, "consent_rules", 1)
    await automation.publish(received(contact_id=silent), org=org)
    assert (await _asked(automation, org, silent)).data.channels == ["email"]
    event_id = await automation.publish(received(contact_id=european), org=org)
    assert "GDPR" in await _why_not(automation, org, made["id"], event_id), "by the law of where they live"


async def test_a_channel_that_messaging_refuses_is_explained(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    by_mail = new_id()
    await automation.publish(_consent(by_mail, channel="email"), org=org, sequence=1)
    await _holds(automation, org, "marketing_consents", 1)
    made = await rule(actions=[SALE])
    await automation.publish(received(contact_id=by_mail), org=org)
    wish = await _asked(automation, org, by_mail)
    no = MessageRefused(
        request_id=wish.data.request_id, conversation_id=wish.data.conversation_id, reason="no_consent"
    )
    await automation.publish(no, org=org, cause=wish.cause)
    (run,) = await runs_of(made["id"], "failed")
    assert run["reason"].startswith("refused: no_consent: What they agreed to")


async def test_a_rule_that_waits_for_consent_need_not_wait_until_it_is_kept(
    automation: Harness, org: UUID, rule: Rule
) -> None:
    welcome = {**SALE, "conversation_id": str(new_id())}
    await rule(trigger="consent.changed.v1", condition=None, actions=[welcome])
    agreed = new_id()
    await automation.publish(_consent(agreed, channel="email"), org=org, sequence=1)
    assert (await _asked(automation, org, agreed)).data.channels == ["email"]


@pytest.mark.parametrize("purpose", [None, "advice"])
async def test_a_message_says_what_it_is_for(automation: Harness, org: UUID, purpose: str | None) -> None:
    send = {"type": "send_message", "text": "Hello"} | ({"purpose": purpose} if purpose else {})
    body = {"name": "Odd", "trigger": "message.received.v1", "actions": [send]}
    client = automation.client(org)
    for path in ("/v1/rules", "/v1/rules/dry-run", "/v1/rules/backtests"):
        wanted = body if path == "/v1/rules" else {name: body[name] for name in ("trigger", "actions")}
        answer = await client.post(path, wanted)
        assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, "/actions/0/purpose"), path

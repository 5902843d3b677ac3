"""A deal waits for the decision about its counterparty: by the registers where they are certain, else by a person."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.events.kyb import CounterpartyCleared, CounterpartyDecisionRequested, CounterpartyRefused
from flotilla.events.pipeline import (
    DealHeld,
    DealHoldFailed,
    DealHoldRequested,
    DealReleased,
    DealReleaseRequested,
)
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.simulators.gleif import GleifSimulator
from flotilla.testing.simulators.vies import ViesSimulator, refusal
from flotilla_kyb.deciding import decision_of
from flotilla_kyb.domain.counterparty import Counterparty

from services.kyb.tests.conftest import Make, any_lei, german_number

DEAL: dict[str, Any] = {
    "pipeline_id": new_id(),
    "stage_id": new_id(),
    "title": "Ten boats",
    "state": "open",
    "value": None,
    "probability": 50,
    "contact_id": None,
    "company_id": None,
    "conversation_id": None,
    "owner_id": None,
    "expected_close_on": None,
    "source": "manual",
    "loss_reason": None,
    "ended_at": None,
}


@pytest.fixture
def client(kyb: Harness, org: UUID) -> Client:
    return kyb.client(org)


async def begun(kyb: Harness, org: UUID, client: Client, made: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """An onboarding, and the wish to hold its deal."""
    path = f"/v1/counterparties/{made['id']}/onboardings"
    answer = await client.post(path, {"deal_id": str(new_id())})
    assert answer.status == 202, answer.body
    shown = answer.json()
    wish = await kyb.spy.expect(DealHoldRequested, lambda event: str(event.data.deal_id) == shown["deal_id"])
    return shown, wish


async def held(kyb: Harness, org: UUID, wish: Any) -> None:
    """The deal is held, as pipeline would say."""
    cause = replace(Cause.fresh("service:pipeline"), request_id=wish.data.request_id)
    now = wish.envelope.time
    told = DealHeld(
        **DEAL,
        deal_id=wish.data.deal_id,
        entered_stage_at=now,
        created_at=now,
        hold_id=wish.data.hold_id,
        reason=wish.data.reason,
    )
    await kyb.publish(told, org=org, cause=cause)


async def saga_of(client: Client, shown: dict[str, Any], state: str) -> list[dict[str, Any]]:
    """The saga's steps, once it is in this state."""

    async def there() -> Any:
        read = (await client.get(f"/v1/sagas/kyb/{shown['saga_id']}")).json()
        return read["steps"] if read["state"] == state else None

    steps: list[dict[str, Any]] = await eventually(there, what=state)
    return steps


async def test_registers_that_confirm_it_release_the_deal(
    kyb: Harness, org: UUID, client: Client, make: Make, vies: ViesSimulator, gleif: GleifSimulator
) -> None:
    number, lei = german_number(), any_lei()
    vies.register("DE", number, "Ink & Paper GmbH", "Hauptstr. 1")
    gleif.register(lei, "Ink & Paper GmbH")
    made = await make(vat_number=number, lei=lei)
    shown, wish = await begun(kyb, org, client, made)
    again = await client.post(f"/v1/counterparties/{made['id']}/onboardings", {"deal_id": shown["deal_id"]})
    assert again.status == 409
    await held(kyb, org, wish)
    cleared = await kyb.spy.expect(
        CounterpartyCleared, lambda event: str(event.data.onboarding_id) == shown["id"]
    )
    assert cleared.data.decided_by is None
    asked = await kyb.spy.expect(CounterpartyDecisionRequested, lambda event: event.org == org)
    assert cleared.envelope.requestid == asked.data.request_id
    release = await kyb.spy.expect(
        DealReleaseRequested, lambda event: event.data.hold_id == wish.data.hold_id
    )
    cause = replace(Cause.fresh("service:pipeline"), request_id=release.data.request_id)
    now = wish.envelope.time
    released = DealReleased(
        **DEAL,
        deal_id=wish.data.deal_id,
        entered_stage_at=now,
        created_at=now,
        hold_id=wish.data.hold_id,
    )
    await kyb.publish(released, org=org, cause=cause)
    steps = await saga_of(client, shown, "done")
    assert [step["state"] for step in steps] == ["done", "done", "done"]


async def test_a_register_that_says_no_leaves_the_deal_held(
    kyb: Harness, org: UUID, client: Client, make: Make, vies: ViesSimulator
) -> None:
    made = await make(vat_number=german_number())  # nobody registered it
    shown, wish = await begun(kyb, org, client, made)
    await held(kyb, org, wish)
    refused = await kyb.spy.expect(
        CounterpartyRefused, lambda event: str(event.data.onboarding_id) == shown["id"]
    )
    assert "not valid" in refused.data.reason
    steps = await saga_of(client, shown, "undone")
    assert [step["state"] for step in steps] == ["done", "failed", "waiting"]
    assert not [
        event for event in kyb.spy.of(DealReleaseRequested, org) if event.data.hold_id == wish.data.hold_id
    ]


async def test_a_register_that_is_down_leaves_it_to_a_person(
    kyb: Harness, org: UUID, client: Client, make: Make, vies: ViesSimulator
) -> None:
    vies.down(refusal("SERVICE_UNAVAILABLE"))
    made = await make(vat_number=german_number())
    shown, wish = await begun(kyb, org, client, made)
    path = f"/v1/counterparties/{made['id']}/onboardings/{shown['id']}"
    decision = {"decision": "cleared", "reason": "We have known them for years."}
    early = await client.post(f"{path}/decision", decision)
    assert early.status == 409, "its deal is not held yet"
    await held(kyb, org, wish)

    async def checked() -> bool:
        counterparty = (await client.get(f"/v1/counterparties/{made['id']}")).json()
        return bool(counterparty["state"] == "unverified")

    await eventually(checked, seconds=30)
    assert (await client.get(path)).json()["state"] == "waiting"
    decided = await client.post(f"{path}/decision", decision)
    assert (decided.status, decided.json()["state"]) == (200, "cleared")
    assert UUID(decided.json()["decided_by"]) == client.user_id
    assert (await client.post(f"{path}/decision", {**decision, "decision": "refused"})).status == 409
    await kyb.spy.expect(DealReleaseRequested, lambda event: event.data.hold_id == wish.data.hold_id)


async def test_a_deal_that_cannot_be_held_ends_it(
    kyb: Harness, org: UUID, client: Client, make: Make, vies: ViesSimulator
) -> None:
    vies.down(refusal("SERVICE_UNAVAILABLE"))
    shown, wish = await begun(kyb, org, client, await make(vat_number=german_number()))
    cause = replace(Cause.fresh("service:pipeline"), request_id=wish.data.request_id)
    failed = DealHoldFailed(request_id=wish.data.request_id, deal_id=wish.data.deal_id, reason="not_found")
    await kyb.publish(failed, org=org, cause=cause)
    steps = await saga_of(client, shown, "undone")
    assert (steps[0]["state"], steps[0]["reason"]) == ("failed", "not_found")


@pytest.mark.parametrize(
    ("state", "level", "expected"),
    [
        ("verified", "low", "cleared"),
        ("verified", "medium", None),
        ("verified", "high", "refused"),
        ("invalid", "low", "refused"),
        ("unverified", "low", None),
        ("unverified", "high", "refused"),
        ("unchecked", "low", None),
    ],
)
def test_what_checks_decide(state: str, level: str, expected: str | None) -> None:
    now = datetime.now(UTC)
    counterparty = Counterparty(
        id=new_id(), name="Ink", country="DE", state=state, risk_level=level, created_at=now, updated_at=now
    )
    decision = decision_of(counterparty)
    assert (decision[0] if decision else None) == expected

"""counterparty onboarding: its deal is held, all sources are asked, and the decision releases it or leaves it held."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.kyb import CounterpartyCleared, CounterpartyDecisionRequested, CounterpartyRefused
from flotilla.events.pipeline import (
    DealHeld,
    DealHoldFailed,
    DealHoldRequested,
    DealReleased,
    DealReleaseFailed,
    DealReleaseRequested,
)
from flotilla.sagas import End, SagaKind, Step
from flotilla.store.postgres import Transaction

from flotilla_kyb.deciding import decide_waiting
from flotilla_kyb.starting import start_check
from flotilla_kyb.store import counterparties, onboardings
from flotilla_kyb.work import ACTOR

DECIDED_WITHIN: Final = timedelta(days=30)


class Onboarding(msgspec.Struct, frozen=True, kw_only=True):
    """What the saga knows: which deal waits for which decision."""

    onboarding_id: UUID
    counterparty_id: UUID
    deal_id: UUID
    hold_id: UUID
    reason: str


def _hold(onboarding: Onboarding, request_id: UUID) -> DealHoldRequested:
    return DealHoldRequested(
        request_id=request_id,
        deal_id=onboarding.deal_id,
        hold_id=onboarding.hold_id,
        reason=onboarding.reason,
    )


def _ask(onboarding: Onboarding, request_id: UUID) -> CounterpartyDecisionRequested:
    return CounterpartyDecisionRequested(
        request_id=request_id,
        onboarding_id=onboarding.onboarding_id,
        counterparty_id=onboarding.counterparty_id,
    )


def _release(onboarding: Onboarding, request_id: UUID) -> DealReleaseRequested:
    return DealReleaseRequested(request_id=request_id, deal_id=onboarding.deal_id, hold_id=onboarding.hold_id)


async def _over(tx: Transaction, end: End[Onboarding]) -> None:
    """Nothing is left to do: the decision stands in the onboarding, the deal is released or held."""


# The hold has no undo: a counterparty that is refused, or never decided about, leaves the deal held.
onboarding = SagaKind(
    "counterparty_onboarding",
    context=Onboarding,
    steps=(
        Step("hold", _hold, granted=DealHeld, refused=DealHoldFailed),
        Step("decide", _ask, granted=CounterpartyCleared, refused=CounterpartyRefused, within=DECIDED_WITHIN),
        Step("release", _release, granted=DealReleased, refused=DealReleaseFailed),
    ),
    done=_over,
    undone=_over,
)


@reaction(CounterpartyDecisionRequested, lane="sagas")
async def ask_for_decision(tx: Transaction, batch: Sequence[Received[CounterpartyDecisionRequested]]) -> None:
    """Ask the registers; the end of their check decides, or a person does."""
    for event in sorted(batch, key=lambda event: (event.org, event.data.counterparty_id)):
        wish = event.data
        counterparty = await counterparties.read(tx, event.org, wish.counterparty_id, lock=True)
        row = await tx.fetchrow(onboardings.ASK, event.org, wish.onboarding_id, wish.request_id)
        if counterparty is None or row is None:
            continue
        tx.caused_by(event.cause)
        check = await start_check(tx, event.org, counterparty, "asked", actor=ACTOR)
        if check.state == "ended":  # no register covers it: what is known is all that there is
            found = await counterparties.read(tx, event.org, counterparty.id)
            assert found is not None
            await decide_waiting(tx, event.org, found)

"""counterparty onboarding: its deal is held, all sources are asked, and the decision releases it or leaves it held."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
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

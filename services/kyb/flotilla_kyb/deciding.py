"""The decision whether to deal with a counterparty: by its checks where they are certain, else by a person."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.kyb import CounterpartyCleared, CounterpartyDecision, CounterpartyRefused
from flotilla.store.postgres import Row, Transaction

from flotilla_kyb.domain.counterparty import Counterparty
from flotilla_kyb.store import onboardings
from flotilla_kyb.work import ACTOR, AUDIENCE

FACTS: Final[dict[str, type[CounterpartyDecision]]] = {
    "cleared": CounterpartyCleared,
    "refused": CounterpartyRefused,
}


def decision_of(counterparty: Counterparty) -> tuple[str, str] | None:
    """(`cleared` or `refused`, why) where its last check is certain; None where a person has to look.

    A register that does not answer takes certainty away, never for the worse: `unverified` is nobody's refusal.
    """
    if counterparty.state == "invalid":
        return "refused", "A register says that it is not valid."
    if counterparty.risk_level == "high":
        return "refused", f"Its risk is high ({counterparty.risk_score} of 100)."
    if counterparty.state == "verified" and counterparty.risk_level == "low":
        return "cleared", f"Registers confirm it, and its risk is low ({counterparty.risk_score} of 100)."
    return None


async def decide_waiting(tx: Transaction, org: UUID, counterparty: Counterparty) -> None:
    """Answer everybody who waits, if the counterparty's check is certain."""
    decision = decision_of(counterparty)
    if decision is None:
        return
    for row in await onboardings.waiting(tx, org, counterparty.id):
        await decide(tx, org, row, *decision, by=None, cause=Cause.fresh(ACTOR))


async def decide(
    tx: Transaction, org: UUID, row: Row, state: str, reason: str, *, by: UUID | None, cause: Cause
) -> Row | None:
    """Write a decision down and tell it, once: the onboarding as it is now; None where it was decided before."""
    decided = await tx.fetchrow(onboardings.DECIDE, org, row["id"], state, reason, by)
    if decided is not None:
        fact = FACTS[state](
            onboarding_id=decided["id"],
            counterparty_id=decided["counterparty_id"],
            deal_id=decided["deal_id"],
            reason=reason,
            decided_by=by,
            decided_at=decided["decided_at"],
        )
        answer = replace(cause, request_id=decided["request_id"])
        tx.emit(fact, org=org, sequence=decided["sequence"], cause=answer, audience=AUDIENCE)
    return decided

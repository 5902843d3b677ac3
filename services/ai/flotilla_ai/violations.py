"""The log of what the supervisor and the organization's policies did not let through, and its events."""

from collections.abc import Sequence
from typing import Any

from flotilla.cause import Cause
from flotilla.events.ai import Place, PolicyViolated
from flotilla.store.postgres import Row, Transaction

from flotilla_ai.domain.drafts import Failure
from flotilla_ai.domain.policies import DONE, POLICY, Action, Violation
from flotilla_ai.domain.supervisor import BLOCKING
from flotilla_ai.events import AUDIENCE
from flotilla_ai.proposals import Proposal
from flotilla_ai.store import policies as store

Judged = tuple[Row, Proposal, Cause]
"""A draft as it was written, what it was made of, and why."""


async def record(tx: Transaction, drafts: Sequence[Judged]) -> None:
    """Write down and tell what these drafts went against; most went against nothing, and cost nothing here."""
    rows: list[dict[str, Any]] = []
    for draft, proposal, cause in drafts:
        for violation in violations_of(proposal):
            row = _row(tx, draft, violation)
            rows.append(row)
            tx.emit(_event(row), org=draft["organization_id"], sequence=1, cause=cause, audience=AUDIENCE)
    if rows:
        await tx.execute(store.LOG, rows)


def violations_of(proposal: Proposal) -> list[Violation]:
    """The supervisor's own reasons where it refused, and the organization's policies."""
    found = list(proposal.violations)
    if proposal.reason is Failure.REFUSED:
        reasons = [reason for reason in proposal.verdict.reasons if reason in BLOCKING and reason != POLICY]
        found += [Violation(reason, None, DONE[Action.REFUSE]) for reason in reasons]
    return found


def _row(tx: Transaction, draft: Row, violation: Violation) -> dict[str, Any]:
    return {
        "organization_id": draft["organization_id"],
        "id": tx.app.new_id(),
        "rule": violation.rule,
        "policy_id": violation.policy_id,
        "action": violation.done,
        "conversation_id": draft["conversation_id"],
        "message_id": draft["message_id"],
        "draft_id": draft["id"],
        "places": [list(place) for place in violation.places],
    }


def _event(row: dict[str, Any]) -> PolicyViolated:
    return PolicyViolated(
        violation_id=row["id"],
        rule=row["rule"],
        policy_id=row["policy_id"],
        action=row["action"],
        conversation_id=row["conversation_id"],
        message_id=row["message_id"],
        draft_id=row["draft_id"],
        places=[Place(start=start, end=end) for start, end in row["places"]],
    )

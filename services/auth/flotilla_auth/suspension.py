"""Organizations that are closed, and opened again, by Flotilla's operators.

An operator's word is a timer that is due at once (`flotilla org suspend`), so it is carried out once, here, in
the transaction that says so, also where auth is down as it is given.
"""

from typing import Final

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.events.auth import OrganizationSuspended, OrganizationUpdated
from flotilla.store.postgres import Transaction

from flotilla_auth import events
from flotilla_auth.store import organizations

LONGEST_REASON: Final = 500


class Decision(msgspec.Struct, frozen=True):
    """What an operator says."""

    reason: str | None
    """Why it is closed; None opens it again."""


async def _carry_out(tx: Transaction, job: Job) -> None:
    decision: Decision = job.payload
    before = await organizations.lock(tx, job.org)
    reason = decision.reason
    wanted = before.reopened() if reason is None else before.suspended(reason[:LONGEST_REASON])
    if wanted == before:
        return
    now = await organizations.update(tx, wanted)
    if now.suspension_reason is None:
        events.organization(tx, OrganizationUpdated, now, before, job.cause)
    else:
        events.organization(tx, OrganizationSuspended, now, before, job.cause, reason=now.suspension_reason)


suspension: Final = TimerKind("suspension", Decision, _carry_out)

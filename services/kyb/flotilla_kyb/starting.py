"""Beginning a check: a job for each register that covers the counterparty, and the moment at which it ends."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from flotilla.store.postgres import Transaction

from flotilla_kyb.domain.counterparty import Counterparty
from flotilla_kyb.domain.identity import coverage
from flotilla_kyb.joining import join
from flotilla_kyb.own import settings_of
from flotilla_kyb.store import checks
from flotilla_kyb.store.checks import Check
from flotilla_kyb.work import ASK, DEADLINE, Ask, Overdue


async def start_check(
    tx: Transaction,
    org: UUID,
    counterparty: Counterparty,
    reason: str,
    *,
    actor: str | None,
    only: Collection[str] | None = None,
) -> Check:
    """The check that is running; a new one where there is none. The transaction holds the counterparty."""
    running = await checks.one(tx, checks.RUNNING, org, counterparty.id)
    if running is not None:
        return running
    sources = [source for source in coverage(counterparty.identity) if only is None or source in only]
    check = await checks.one(
        tx,
        checks.START,
        org,
        tx.app.new_id(),
        counterparty.id,
        reason,
        counterparty.identity.as_dict(),
        actor,
        timedelta(seconds=settings_of(tx.app).check_seconds),
    )
    assert check is not None
    await tx.execute(checks.AWAIT, org, check.id, sources)
    if not sources:
        await join(tx, org, counterparty, check.id)
        ended = await checks.one(tx, checks.READ, org, counterparty.id, check.id)
        assert ended is not None
        return ended
    for source in sources:
        ask = Ask(
            check_id=check.id,
            counterparty_id=counterparty.id,
            source=source,
            asked=check.asked,
            deadline_at=check.deadline_at,
        )
        tx.enqueue(f"{ASK}_{source}", ask.key, ask, org=org)
    tx.set_timer(DEADLINE, str(check.id), check.deadline_at, Overdue(counterparty.id, check.id), org=org)
    return check


async def supersede_check(tx: Transaction, org: UUID, counterparty_id: UUID) -> None:
    """End the running check without a result: what it asks about is no longer so."""
    running = await checks.one(tx, checks.RUNNING, org, counterparty_id)
    if running is not None:
        await tx.execute(checks.END, org, running.id, "superseded")
        tx.cancel_timer(DEADLINE, str(running.id))

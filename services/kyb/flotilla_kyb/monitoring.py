"""What happens by itself: checks by schedule, checks that end without an answer, and registers asked again."""

from typing import Final

from flotilla.bus.declare import Job, TimerKind
from flotilla.store.postgres import Transaction

from flotilla_kyb.domain.counterparty import Monitoring
from flotilla_kyb.joining import join
from flotilla_kyb.starting import start_check
from flotilla_kyb.store import checks
from flotilla_kyb.store import counterparties as store
from flotilla_kyb.work import ACTOR, DEADLINE, MONITOR, RECHECK, About, Overdue, arm_monitor

TOO_LATE: Final = "It did not answer before the check ended."


async def monitor(tx: Transaction, job: Job) -> None:
    """Check by schedule, and set the next time in the same transaction."""
    about: About = job.payload
    counterparty = await store.read(tx, job.org, about.counterparty_id, lock=True)
    if counterparty is None or counterparty.monitoring == Monitoring.NONE:
        return
    await arm_monitor(tx, job.org, counterparty.id, counterparty.monitoring)
    await start_check(tx, job.org, counterparty, "scheduled", actor=ACTOR)


async def recheck(tx: Transaction, job: Job) -> None:
    """Ask those registers again that did not answer, and only those."""
    about: About = job.payload
    counterparty = await store.read(tx, job.org, about.counterparty_id, lock=True)
    if counterparty is None:
        return
    standings = await store.standings(tx, job.org, counterparty.id)
    silent = [source for source, standing in standings.items() if not standing.answered]
    if silent:
        await start_check(tx, job.org, counterparty, "unanswered", actor=ACTOR, only=silent)


async def end_overdue(tx: Transaction, job: Job) -> None:
    """End a check whose time is up: those that did not answer are unverified, the others' results stand."""
    overdue: Overdue = job.payload
    counterparty = await store.read(tx, job.org, overdue.counterparty_id, lock=True)
    running = await checks.one(tx, checks.RUNNING, job.org, overdue.counterparty_id)
    if counterparty is None or running is None or running.id != overdue.check_id:
        return
    await tx.execute(checks.GIVE_UP, job.org, running.id, TOO_LATE)
    await join(tx, job.org, counterparty, running.id)


monitor_due = TimerKind(MONITOR, About, monitor)
recheck_due = TimerKind(RECHECK, About, recheck)
check_overdue = TimerKind(DEADLINE, Overdue, end_overdue)

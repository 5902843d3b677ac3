"""Asking a register: a leased job, whose end is written with the raw answers in one transaction.

A register that does not answer is told of once, tried again within the check, and ends it unverified.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.events.kyb import Source as SourceEvent
from flotilla.events.kyb import SourceFailed, SourceRecovered
from flotilla.store.postgres import Row, Transaction

from flotilla_kyb.domain.counterparty import Result, Verdict
from flotilla_kyb.domain.identity import GLEIF, VIES
from flotilla_kyb.domain.timing import back_off
from flotilla_kyb.joining import join
from flotilla_kyb.own import own, settings_of
from flotilla_kyb.sources import Answer, Exchange, SourceDownError, SourceRefusedError
from flotilla_kyb.store import alerts, checks
from flotilla_kyb.store import counterparties as store
from flotilla_kyb.work import ASK, AUDIENCE, Ask

HANDS: Final = 2
"""Questions to a register that one process has in hand at once."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a register said, or why it did not."""

    answer: Answer | None = None
    down: str | None = None
    scope: str = ""
    refused: str | None = None
    exchanges: Sequence[Exchange] = field(default_factory=tuple)


async def perform(app: App, job: Job) -> Heard | None:
    """Ask; None where nobody waits for the answer any more."""
    ask: Ask = job.payload
    async with app.db.transaction(job.org) as tx:
        if not await tx.fetchval(checks.IS_RUNNING, job.org, ask.check_id, ask.source):
            return None
    source = own(app).sources[ask.source]
    asking = own(app).asking(source)
    try:
        answer = await source.ask(asking, ask.identity)
    except SourceDownError as error:
        return Heard(down=str(error), scope=error.scope, exchanges=asking.exchanges)
    except SourceRefusedError as error:
        return Heard(refused=str(error), exchanges=asking.exchanges)
    return Heard(answer=answer, scope=answer.scope, exchanges=asking.exchanges)


async def finish(tx: Transaction, job: Job, heard: Heard | None) -> None:
    """Keep the answer; end the check with the last one."""
    ask: Ask = job.payload
    counterparty = await store.read(tx, job.org, ask.counterparty_id, lock=True)
    running = await tx.fetchval(checks.IS_RUNNING, job.org, ask.check_id, ask.source)
    if heard is None or counterparty is None or not running:
        return
    await checks.keep_evidence(tx, job.org, ask.check_id, ask.source, heard.exchanges)
    await _tell_source(tx, job.org, ask.source, heard)
    if heard.down is not None and await _try_again(tx, job, ask, heard.down):
        return
    await checks.end_result(tx, job.org, ask.check_id, _result(ask.source, heard))
    _, waited_for = await checks.results(tx, job.org, ask.check_id)
    if not waited_for:
        await join(tx, job.org, counterparty, ask.check_id)


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """It could not even be asked: that says nothing of the counterparty."""
    await finish(tx, job, Heard(refused=f"It could not be asked ({type(error).__name__})."))


async def _try_again(tx: Transaction, job: Job, ask: Ask, reason: str) -> bool:
    """Whether there is time for another try in this check."""
    settings = settings_of(tx.app)
    tried = ask.tried + 1
    due_at = await tx.fetchval(checks.NOW) + back_off(timedelta(seconds=settings.retry_seconds), tried)
    if tried > settings.retries or due_at >= ask.deadline_at:
        return False
    await tx.execute(checks.REMARK, job.org, ask.check_id, ask.source, reason)
    again = Ask(
        check_id=ask.check_id,
        counterparty_id=ask.counterparty_id,
        source=ask.source,
        asked=ask.asked,
        deadline_at=ask.deadline_at,
        tried=tried,
    )
    tx.enqueue(job.kind, ask.key, again, org=job.org, due_at=due_at)
    return True


async def _tell_source(tx: Transaction, org: UUID, source: str, heard: Heard) -> None:
    """Say once that a register fails, and once that it is back; what one part of it says is of that part."""
    if heard.down is not None:
        row = await tx.fetchrow(alerts.FAIL, org, tx.app.new_id(), source, heard.scope, heard.down)
        if row is not None:
            _say(tx, org, SourceFailed, row)
    elif heard.exchanges:
        scopes = sorted({"", heard.scope})
        for row in await tx.fetch(alerts.RECOVER, org, source, scopes):
            _say(tx, org, SourceRecovered, row)


def _say(tx: Transaction, org: UUID, fact: type[SourceEvent], row: Row) -> None:
    event = fact(
        source_id=row["id"],
        source=row["source"],
        scope=row["scope"] or None,
        reason=row["reason"],
        occurred_at=row["since"],
    )
    tx.emit(event, org=org, sequence=row["sequence"], audience=AUDIENCE)


def _result(source: str, heard: Heard) -> Result:
    answer = heard.answer
    if answer is None:
        return Result(source=source, verdict=Verdict.UNVERIFIED, reason=heard.down or heard.refused)
    verdict = Verdict.VALID if answer.valid else Verdict.INVALID
    return Result(source=source, verdict=verdict, reason=answer.reason, fields=answer.fields)


ask_vies = JobKind(
    f"{ASK}_{VIES}", Ask, perform, finish, give_up, lease=timedelta(seconds=120), concurrency=HANDS
)
ask_gleif = JobKind(
    f"{ASK}_{GLEIF}", Ask, perform, finish, give_up, lease=timedelta(seconds=120), concurrency=HANDS
)

"""Rules tried on the archive: it is asked for the events, which come in stretches to a lane of their own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import Job, Lane, TimerKind, reaction
from flotilla.bus.envelope import Received
from flotilla.bus.topology import queue_name
from flotilla.events.analytics import ArchiveReadFailed, ArchiveReadFinished, ArchiveReadRequested
from flotilla.http import ConflictError
from flotilla.replay import wire
from flotilla.replay.wire import Stretch
from flotilla.store.postgres import Row, Transaction

from flotilla_automation.domain.backtests import Tally, tally
from flotilla_automation.domain.fields import Occurrence
from flotilla_automation.domain.rules import Plan, read_plan
from flotilla_automation.running import AUDIENCE, limits, understand
from flotilla_automation.store import backtests as store
from flotilla_automation.store import wanted

log = structlog.get_logger()

ARCHIVE: Final = "archive"
OVERDUE: Final = "backtest_overdue"


class OverduePayload(msgspec.Struct, frozen=True):
    """Which should have come to its end."""

    backtest_id: UUID


async def begin(tx: Transaction, org: UUID, plan: Plan, said: tuple[object, ...]) -> Row:
    """Ask the archive; ConflictError while another one of the organization is being read for."""
    id_ = tx.app.new_id()
    if not await store.add(tx, org, id_, said):
        raise ConflictError("Another rule is being tried on the archive: wait for its end.")
    await wanted.note_organization(tx, org)  # so that it is swept
    row = await store.read(tx, org, id_)
    assert row is not None
    wish = ArchiveReadRequested(
        request_id=id_,
        reading_id=id_,
        queue=queue_name(tx.app.service.name, ARCHIVE),
        types=(plan.trigger,),
        since=row["since"],
        personal=True,  # conditions may look at them; what is kept of it does not show them
    )
    tx.emit(wish, org=org, sequence=1, audience=AUDIENCE)
    due_at = row["begun_at"] + timedelta(seconds=limits(tx).backtest_seconds)
    tx.set_timer(OVERDUE, str(id_), due_at, OverduePayload(id_), org=org)
    return row


class Reader:
    """Handles the stretches of the archive: `flotilla.bus.consumer.Handling`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.patient = True

    async def handle(self, bodies: Sequence[bytes]) -> None:
        """Look at each; what cannot be read ends its backtest."""
        for body in bodies:
            try:
                stretch = wire.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                log.error("backtest.unreadable", error=type(error).__name__)
                continue
            org = await store.organization(self._app.db, stretch.id)
            if org is not None:
                await self._take(org, stretch)

    async def _take(self, org: UUID, stretch: Stretch) -> None:
        try:
            async with self._app.db.transaction(org) as tx:
                row = await store.read(tx, org, stretch.id, lock=True)
                # A stretch may come twice, and go further the second time.
                if row is not None and row["state"] == "reading" and stretch.upto > row["position"]:
                    await store.advance(tx, row, stretch.upto, _look(row, stretch))
        except Exception as error:
            if self.patient and isinstance(error, INFRASTRUCTURE_ERRORS):
                raise
            log.error("backtest.failed", backtest=str(stretch.id), exc_info=error)
            async with self._app.db.transaction(org) as tx:
                await store.fail(tx, org, stretch.id, "an event could not be looked at")


def _look(row: Row, stretch: Stretch) -> Tally:
    plan = read_plan(row["trigger"], row["condition"], row["actions"])
    new = (raw for at, raw in zip(stretch.positions, stretch.events, strict=True) if at > row["position"])
    return tally(plan, (event for raw in new if (event := _readable(raw)) is not None), datetime.now(UTC))


def _readable(raw: msgspec.Raw) -> Occurrence | None:
    """None for one that was written under a contract that has changed since."""
    try:
        return understand(bytes(raw))
    except msgspec.ValidationError:
        return None


@reaction(ArchiveReadFinished, ArchiveReadFailed, lane="directory")
async def end_backtests(
    tx: Transaction, batch: Sequence[Received[ArchiveReadFinished | ArchiveReadFailed]]
) -> None:
    """The archive has said where it ends, or that it can't be read. Others' readings are none of ours."""
    for event in batch:
        told = event.data
        if isinstance(told, ArchiveReadFinished):
            await store.ends_at(tx, event.org, told.reading_id, told.position)
        else:
            await store.fail(tx, event.org, told.reading_id, told.reason)


async def _overdue(tx: Transaction, job: Job) -> None:
    await store.fail(tx, job.org, job.payload.backtest_id, "the archive did not answer in time")


archive_lane = Lane(ARCHIVE, wait=timedelta(), batch=1, handling=Reader)
backtest_overdue = TimerKind(OVERDUE, OverduePayload, _overdue)

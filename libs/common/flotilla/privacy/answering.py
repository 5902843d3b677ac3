"""What a service that declares its privacy has besides: one lane for what all services are told, one kind of work."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, Lane, projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.privacy import ErasureRequested, ExportRequested, FeatureFlagChanged, RetentionChanged
from flotilla.flags.keeping import keep
from flotilla.privacy import erasing, exporting, retaining, sweeping
from flotilla.privacy.erasing import KIND, Task
from flotilla.store.postgres import Transaction

LANE: Final = "fleet"
lane: Final = Lane(LANE, wait=timedelta(milliseconds=20))


@reaction(ErasureRequested, lane=LANE)
async def forget_people(tx: Transaction, batch: Sequence[Received[ErasureRequested]]) -> None:
    """Forget whom auth names."""
    await erasing.take_erasures(tx, batch)


@reaction(ExportRequested, lane=LANE)
async def export_people(tx: Transaction, batch: Sequence[Received[ExportRequested]]) -> None:
    """Write down what is known of whom auth names."""
    await exporting.take_exports(tx, batch)


@projection(FeatureFlagChanged, lane=LANE, not_rebuilt="the bus's own table, the same in every service")
async def keep_feature_flags(tx: Transaction, batch: Sequence[Received[FeatureFlagChanged]]) -> None:
    """Every organization's flags, and the platform's."""
    await keep(tx, batch)


@projection(RetentionChanged, lane=LANE, not_rebuilt="the bus's own table, the same in every service")
async def keep_retention(tx: Transaction, batch: Sequence[Received[RetentionChanged]]) -> None:
    """How long every organization keeps what."""
    await retaining.keep(tx, batch)


async def _perform(app: App, job: Job) -> Any:
    task: Task = job.payload
    if task.what == "export":
        return await exporting.perform(app, task.request_id)
    return await erasing.perform(app, task.request_id)


async def _finish(tx: Transaction, job: Job, result: Any) -> None:
    await (exporting if job.payload.what == "export" else erasing).finish(tx, job, result)


async def _give_up(tx: Transaction, job: Job, error: Exception) -> None:
    await (exporting if job.payload.what == "export" else erasing).give_up(tx, job, error)


work: Final = JobKind(
    KIND, Task, _perform, _finish, _give_up, lease=timedelta(minutes=15), attempts=6, concurrency=2
)
handlers: Final = (forget_people, export_people, keep_feature_flags, keep_retention)
worker: Final = sweeping.worker

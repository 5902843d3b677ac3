"""Deals that nobody has touched for as long as their stage allows: each is told of once, until it is touched again.

One timer a stage looks again every hour, and at once while there are more than it tells of in one transaction: what a
stage costs does not depend on how many deals stand in it.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.sagas.store import now
from flotilla.store.postgres import Transaction

from flotilla_pipeline.domain.stages import Stage
from flotilla_pipeline.store import deals, pipelines

AUDIENCE: Final = "org"
LOOK_EVERY: Final = timedelta(hours=1)
AT_ONCE: Final = 500


class Look(msgspec.Struct, frozen=True):
    """Which stage to look at."""

    stage_id: UUID


async def watch(tx: Transaction, org: UUID, stage: Stage) -> None:
    """Look at a stage from now on, if it says when deals rot; else no more."""
    if stage.rots_after_days is None or stage.archived:
        tx.cancel_timer(rotting.kind, str(stage.id))
    else:
        tx.set_timer(rotting.kind, str(stage.id), await now(tx), Look(stage.id), org=org)


async def _look(tx: Transaction, job: Job) -> None:
    stage = await pipelines.stage_for_deal(tx, job.org, job.payload.stage_id)
    if stage is None or stage.rots_after_days is None or stage.archived:
        return
    found = await deals.rot(tx, job.org, stage, AT_ONCE)
    for deal in found:
        rotted = deal.rotted(stage.rots_after_days)
        tx.emit(rotted, org=job.org, sequence=deal.sequence, cause=job.cause, audience=AUDIENCE)
    again = await now(tx) + (LOOK_EVERY if len(found) < AT_ONCE else timedelta())
    tx.set_timer(rotting.kind, job.key, again, job.payload, org=job.org)


rotting = TimerKind("rotting", Look, _look)

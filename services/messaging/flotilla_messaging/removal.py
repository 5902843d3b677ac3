"""Taking texts out of the document store, after the commit that made them nobody's."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.messages import Message
from flotilla_messaging.store import bodies

log = structlog.get_logger()

KIND: Final = "remove_bodies"


class Removal(msgspec.Struct, frozen=True):
    """Bodies that no message has any more."""

    ids: list[UUID]


def remove_bodies(tx: Transaction, org: UUID, message: Message, ids: Sequence[UUID]) -> None:
    """Have these removed; `message` is as it stands without them."""
    tx.enqueue(KIND, f"{message.id}:{message.sequence}", Removal(list(ids)), org=org)


async def _remove(app: App, job: Job) -> None:
    await bodies.collection(app).delete_by_ids(job.org, job.payload.ids)


async def _finish(_tx: Transaction, _job: Job, _result: None) -> None:
    """Nothing is left to write."""


async def _give_up(_tx: Transaction, job: Job, error: Exception) -> None:
    log.error("bodies.not_removed", org=str(job.org), bodies=len(job.payload.ids), error=type(error).__name__)


body_removal = JobKind(
    kind=KIND,
    payload=Removal,
    perform=_remove,
    finish=_finish,
    give_up=_give_up,
    lease=timedelta(seconds=60),
    attempts=20,
)

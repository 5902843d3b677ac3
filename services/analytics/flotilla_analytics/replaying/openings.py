"""The first message of a replay, to the service that is to do it."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.connection import BROKER_ERRORS
from flotilla.bus.declare import Job, JobKind, RetryLater
from flotilla.bus.topology import queue_name
from flotilla.events.analytics import ReplayFailed
from flotilla.replay import wire
from flotilla.replay.wire import Opening, Stretch
from flotilla.store.postgres import Transaction

from flotilla_analytics.replaying.queues import NoSuchQueueError, Queue
from flotilla_analytics.store import replays

KIND: Final = "replay.open"
NEVER_MIND: Final = 1_000_000
"""Attempts: who has it is the only one who can answer it, so it is never given up."""
AWAY: Final = timedelta(seconds=2)


class Sending(msgspec.Struct, frozen=True):
    """The payload of the job."""

    id: UUID
    opening: Opening


async def perform(app: App, job: Job) -> bool:
    """Send it; False where the service has nothing that could take it."""
    sending: Sending = job.payload
    name = queue_name(sending.opening.service, wire.LANE)
    try:
        async with Queue.on(app.settings.amqp_url.get_secret_value(), name) as queue:
            await queue.send(Stretch(id=sending.id, opening=sending.opening))
    except NoSuchQueueError:
        return False
    except BROKER_ERRORS as error:
        raise RetryLater(AWAY, "the broker is away") from error
    return True


async def finish(tx: Transaction, job: Job, sent: bool) -> None:
    """From here on the service answers; where there is none, we do."""
    if not sent:
        sending: Sending = job.payload
        await refuse(tx, job.org, sending.id, sending.opening, "it has no projection that can be built anew")


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """Not in a lifetime."""
    sending: Sending = job.payload
    await refuse(tx, job.org, sending.id, sending.opening, "it could not be begun")


async def refuse(tx: Transaction, org: UUID, id_: UUID, opening: Opening, reason: str) -> None:
    """Answer for a service that cannot."""
    await tx.execute(replays.FAILED, org, id_, reason)
    failed = ReplayFailed(
        request_id=opening.request_id, replay_id=id_, service=opening.service, reason=reason
    )
    tx.emit(failed, org=org, sequence=2, cause=opening.cause)


job = JobKind(KIND, Sending, perform, finish, give_up, attempts=NEVER_MIND, concurrency=2)

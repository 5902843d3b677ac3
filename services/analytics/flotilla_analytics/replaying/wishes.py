"""What is asked of the archive, and what the services answer that build their projections anew."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
from flotilla.bus.declare import Lane, reaction
from flotilla.bus.envelope import Received
from flotilla.bus.topology import queue_name
from flotilla.events.analytics import (
    ArchiveReadFailed,
    ArchiveReadRequested,
    ReplayFailed,
    ReplayFinished,
    ReplayRequested,
    ReplayStarted,
)
from flotilla.ids import PLATFORM_ORG
from flotilla.replay import wire
from flotilla.replay.wire import Filter, Opening
from flotilla.service import FLEET
from flotilla.store.postgres import Transaction

from flotilla_analytics.replaying import openings, readings
from flotilla_analytics.replaying.openings import Sending, refuse
from flotilla_analytics.replaying.stretches import Reading
from flotilla_analytics.store import replays

LANE: Final = Lane("replays")


@reaction(ReplayRequested, lane=LANE.name)
async def begin_replays(tx: Transaction, batch: Sequence[Received[ReplayRequested]]) -> None:
    """Tell the service that is to do it; one that does not exist cannot answer, so we do."""
    for event in batch:
        wish, opening = event.data, _opening(event)
        wanted = msgspec.to_builtins(opening.filter) | {"latest": wish.latest}
        new = await replays.insert(tx, event.org, wish.replay_id, wish.service, wish.projections, wanted)
        if not new and await replays.ended(tx, event.org, wish.replay_id):
            continue
        if wish.service not in FLEET:
            await refuse(tx, event.org, wish.replay_id, opening, "there is no such service")
            continue
        tx.enqueue(
            openings.KIND, str(wish.replay_id), Sending(wish.replay_id, opening), org=event.org, cause=event
        )


@reaction(ReplayStarted, lane=LANE.name)
async def read_for_replays(tx: Transaction, batch: Sequence[Received[ReplayStarted]]) -> None:
    """The service is ready: send it the archive."""
    for event in batch:
        begun = event.data
        row = await replays.read(tx, event.org, begun.replay_id)
        if row is None or row["ended_at"] is not None:
            continue
        await tx.execute(replays.STARTED, event.org, begun.replay_id, begun.projections)
        latest = row["filter"]["latest"]
        told = msgspec.convert(row["filter"], Filter)
        types = sorted({type_ for group in begun.types for type_ in group})
        reading = Reading(
            id=begun.replay_id,
            request_id=begun.request_id,
            queue=queue_name(begun.service, wire.LANE),
            filter=Filter(
                organizations=told.organizations, types=types, subjects=told.subjects, since=told.since
            ),
            newest_of=begun.types if latest else [],
            replay=True,
        )
        tx.enqueue(readings.KIND, str(begun.replay_id), reading, org=event.org, cause=event)


@reaction(ReplayFinished, ReplayFailed, lane=LANE.name)
async def end_replays(tx: Transaction, batch: Sequence[Received[Any]]) -> None:
    """Keep how it ended; the reading sees it."""
    for event in batch:
        told = event.data
        if isinstance(told, ReplayFailed):
            await tx.execute(replays.FAILED, event.org, told.replay_id, told.reason)
        else:
            counts = (told.events, told.added, told.updated, told.removed)
            await tx.execute(replays.FINISHED, event.org, told.replay_id, told.projections, *counts)


@reaction(ArchiveReadRequested, lane=LANE.name)
async def read_for_others(tx: Transaction, batch: Sequence[Received[ArchiveReadRequested]]) -> None:
    """Bring an organization's events to a queue of whoever asks."""
    for event in batch:
        wish = event.data
        cause = replace(event.cause, request_id=wish.request_id)
        asker = event.envelope.source.rpartition("/")[2]
        if not wish.queue.startswith(f"{asker}."):
            reason = f"{wish.queue} is no queue of {asker}"
            refused = ArchiveReadFailed(request_id=wish.request_id, reading_id=wish.reading_id, reason=reason)
            tx.emit(refused, org=event.org, sequence=1, cause=cause)
            continue
        reading = Reading(
            id=wish.reading_id,
            request_id=wish.request_id,
            queue=wish.queue,
            filter=Filter(
                organizations=[event.org],
                types=list(wish.types),
                subjects=list(wish.subjects),
                since=wish.since,
            ),
            after=wish.after,
            personal=wish.personal,
        )
        tx.enqueue(readings.KIND, str(wish.reading_id), reading, org=event.org, cause=cause)


def _opening(event: Received[ReplayRequested]) -> Opening:
    """Only the platform may have others' rows built anew."""
    wish = event.data
    organizations = list(wish.organizations) if event.org == PLATFORM_ORG else [event.org]
    return Opening(
        request_id=wish.request_id,
        organization_id=event.org,
        service=wish.service,
        projections=list(wish.projections),
        filter=Filter(
            organizations=organizations,
            types=list(wish.types),
            subjects=list(wish.subjects),
            since=wish.since,
        ),
        cause=replace(event.cause, request_id=wish.request_id),
    )

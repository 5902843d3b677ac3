"""Who is enrolled without anybody's hand: by others' wishes, by segments; and who leaves with theirs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flotilla.app import App
from flotilla.bus.declare import projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.campaign import SequenceStartFailed, SequenceStartRequested
from flotilla.events.crm import SegmentEntered, SegmentLeft, SegmentMembership
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_campaign.enrolling import Candidate, enrol
from flotilla_campaign.own import bound
from flotilla_campaign.running import write_all
from flotilla_campaign.sending import AUDIENCE
from flotilla_campaign.store import enrolments, segments, sequences


async def _bind(app: App, _: Sequence[Received[Any]]) -> None:
    """Before the commit: no reply shall be missed after it."""
    await bound(app).bind()


@projection(SegmentEntered, SegmentLeft, lane="audiences", tables=("segment_members",))
async def keep_segments(tx: Transaction, batch: Sequence[Received[SegmentMembership]]) -> None:
    """Know who is in which segment."""
    await segments.keep(tx, batch)


@reaction(SegmentEntered, lane="audiences", prepare=_bind)
async def enrol_entrants(tx: Transaction, batch: Sequence[Received[SegmentEntered]], _: None) -> None:
    """Enrol who has entered a segment that a sequence waits for, and has not left it since."""
    events = {(event.org, event.data.membership_id): event for event in batch}
    await enrol(
        tx,
        [
            Candidate(
                row["organization_id"],
                tx.app.new_id(),
                row["sequence_id"],
                row["contact_id"],
                events[row["organization_id"], row["membership_id"]].cause,
            )
            for row in await sequences.entered(tx, list(events))
        ],
    )


@reaction(SegmentLeft, lane="audiences")
async def stop_leavers(tx: Transaction, batch: Sequence[Received[SegmentLeft]]) -> None:
    """Who has left a segment goes no further in the sequences that say so."""
    events = {(event.org, event.data.contact_id): event for event in batch}
    left = [(event.org, event.data.segment_id, event.data.contact_id) for event in batch]
    held = await enrolments.lock(tx, await enrolments.following_segments(tx, left))
    now = await enrolments.now(tx)
    ended = [
        (each.stopped(now, "left_segment"), events[each.organization_id, each.contact_id])
        for each in held
        if each.live
    ]
    await write_all(tx, ended)


@reaction(SequenceStartRequested, lane="audiences", prepare=_bind)
async def grant_enrolments(
    tx: Transaction, batch: Sequence[Received[SequenceStartRequested]], _: None
) -> None:
    """Enrol whom others want enrolled, under the request's id; say why not."""
    granted, _cancelled = await wishes.take(tx, batch)
    outcome = await enrol(tx, [_candidate(event) for event in granted])
    for event in granted:
        refusal = outcome[event.data.request_id]
        if isinstance(refusal, str):
            wish = event.data
            failed = SequenceStartFailed(
                request_id=wish.request_id,
                sequence_id=wish.sequence_id,
                contact_id=wish.contact_id,
                reason=refusal,
            )
            cause = replace(event.cause, request_id=wish.request_id)
            tx.emit(failed, org=event.org, sequence=1, cause=cause, audience=AUDIENCE)


def _candidate(event: Received[SequenceStartRequested]) -> Candidate:
    wish = event.data
    fields = {"name": wish.name} if wish.name else {}
    return Candidate(
        event.org,
        wish.request_id,
        wish.sequence_id,
        wish.contact_id,
        event.cause,
        wish.request_id,
        {"conversation_id": wish.conversation_id, "fields": fields},
    )

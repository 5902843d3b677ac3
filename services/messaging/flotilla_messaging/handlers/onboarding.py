"""The inbox that a new organization begins with, made and taken back as its onboarding asks."""

from collections.abc import Sequence
from dataclasses import replace

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.messaging import (
    InboxDeleted,
    InboxDeleteFailed,
    InboxDeleteRequested,
    InboxFailed,
    InboxRequested,
)
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.inboxes import Inbox
from flotilla_messaging.events import AUDIENCE
from flotilla_messaging.store import inboxes

Wish = Received[InboxRequested]


@reaction(InboxRequested, lane="directory")
async def begin_inboxes(tx: Transaction, batch: Sequence[Wish]) -> None:
    """Give each new organization an inbox to begin with; one that has it already is told of it again."""
    granted, cancelled = await wishes.take(tx, batch)
    for event in cancelled:
        failed = InboxFailed(request_id=event.data.request_id, reason="cancelled")
        tx.emit(failed, org=event.org, sequence=1, cause=_answer(event), audience=AUDIENCE)
    wanted = {event.org: (event, _begun(event)) for event in granted}
    made = await inboxes.add(tx, [(org, inbox) for org, (_, inbox) in wanted.items()]) if wanted else set()
    for org in made:
        event, inbox = wanted[org]
        tx.emit(inbox.created(), org=org, sequence=1, cause=_answer(event), audience=AUDIENCE)
    # Only where an onboarding that had failed is tried again: hardly ever, and one at a time.
    for event in granted:
        if event.org not in made or wanted[event.org][0] is not event:
            there = await inboxes.default(tx, event.org)
            assert there is not None, "it was not made because it is there"
            told = await inboxes.save(tx, event.org, there)
            cause = _answer(event)
            tx.emit(told.created(), org=event.org, sequence=told.sequence, cause=cause, audience=AUDIENCE)


@reaction(InboxDeleteRequested, lane="directory")
async def take_back_inboxes(tx: Transaction, batch: Sequence[Received[InboxDeleteRequested]]) -> None:
    """Remove inboxes that nobody has set up; those to come are refused when they do."""
    await wishes.cancel(tx, batch)
    ends = await inboxes.remove(tx, [(event.org, event.data.cancels) for event in batch])
    for event in batch:
        wish, end = event.data, ends[event.org, event.data.cancels]
        if end["kept"]:
            failed = InboxDeleteFailed(request_id=wish.request_id, cancels=wish.cancels, reason="in_use")
            tx.emit(failed, org=event.org, sequence=1, cause=_answer(event), audience=AUDIENCE)
            continue
        gone = InboxDeleted(inbox_id=wish.cancels, request_id=wish.request_id, reason=wish.reason)
        tx.emit(gone, org=event.org, sequence=end["sequence"], cause=_answer(event), audience=AUDIENCE)


def _begun(event: Wish) -> Inbox:
    wish = event.data
    return Inbox(id=wish.request_id, name=wish.name, time_zone=wish.time_zone, is_default=True)


def _answer(event: Wish | Received[InboxDeleteRequested]) -> Cause:
    """What an answer goes back to: its wish, by the request that the wish carries."""
    return replace(event.cause, request_id=event.data.request_id)

"""What crm says of people, and what follows for those who are in sequences."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.crm import ConsentChanged, ContactDeleted, ContactMerged
from flotilla.store.postgres import Transaction

from flotilla_campaign.domain.enrolments import Enrolment
from flotilla_campaign.running import Why, suppress_all, write_all
from flotilla_campaign.store import contacts, enrolments, people

MARKETING: Final = "marketing"


@reaction(ConsentChanged, lane="directory")
async def heed_consent(tx: Transaction, batch: Sequence[Received[ConsentChanged]]) -> None:
    """Send nothing more to who withdrew their consent to marketing, on whatever channel they said it.

    Sequences do not tell channels apart, so the narrower wish is heard as the wider one; and consent given anew
    lifts no suppression, which may stand for other reasons: a person does that.
    """
    withdrawn = [
        event for event in batch if (event.data.purpose, event.data.state) == (MARKETING, "withdrawn")
    ]
    await people.hold(tx, [(event.org, event.data.contact_id) for event in withdrawn])
    first = {(event.org, event.data.contact_id): event for event in reversed(_in_order(withdrawn))}
    await suppress_all(tx, {key: ("withdrawn", event) for key, event in first.items()})


@reaction(ContactMerged, lane="directory")
async def follow_merges(tx: Transaction, batch: Sequence[Received[ContactMerged]]) -> None:
    """Go on with the person who stayed, once in each sequence; what one of the two did not want, neither gets."""
    await people.hold(tx, [key for event in batch for key in _both(event)])
    now = await enrolments.now(tx)
    # By their ids, which are in the order of time: who stays in one may go in the next.
    for turn in _turns(sorted(batch, key=lambda event: event.id)):
        await _merge(tx, turn, now)


def _turns(batch: Sequence[Received[ContactMerged]]) -> list[list[Received[ContactMerged]]]:
    """So that nobody comes twice in one, and each comes in their order. Mostly a single turn."""
    turns: list[tuple[set[people.Key], list[Received[ContactMerged]]]] = []
    for event in batch:
        # Behind the last that one of the two is in, whatever there is room for before.
        last = max((place for place, (met, _) in enumerate(turns) if met & {*_both(event)}), default=-1)
        if last + 1 == len(turns):
            turns.append((set(), []))
        met, turn = turns[last + 1]
        met.update(_both(event))
        turn.append(event)
    return [turn for _, turn in turns]


async def _merge(tx: Transaction, batch: Sequence[Received[ContactMerged]], now: datetime) -> None:
    merged = {_both(event)[0]: event for event in batch}
    out = await people.suppressed(tx, [key for event in batch for key in _both(event)])
    inherited = {_both(event)[1]: ("requested", event) for loser, event in merged.items() if loser in out}
    await suppress_all(tx, inherited)
    refused = out | inherited.keys()
    taken = await contacts.sequences_of(tx, [_both(event)[1] for event in batch])
    ended: list[tuple[Enrolment, Why]] = []
    going: list[tuple[Enrolment, Received[ContactMerged]]] = []
    for each in await enrolments.lock(tx, await enrolments.active_of(tx, sorted(merged))):
        if not each.live:
            continue
        event = merged[each.organization_id, each.contact_id]
        winner = _both(event)[1]
        if each.sequence_id in taken.get(winner, ()):
            ended.append((each.stopped(now, "merged"), event))
        elif winner in refused:
            ended.append((each.stopped(now, "unsubscribed"), event))
        else:
            going.append((replace(each, contact_id=event.data.into_contact_id), event))
    if going:
        await contacts.hand_over(tx, [each for each, _ in going])
    await write_all(tx, [*ended, *going])


def _both(event: Received[ContactMerged]) -> tuple[people.Key, people.Key]:
    """Who went, and who stayed."""
    return (event.org, event.data.contact_id), (event.org, event.data.into_contact_id)


@reaction(ContactDeleted, lane="directory")
async def stop_deleted(tx: Transaction, batch: Sequence[Received[ContactDeleted]]) -> None:
    """Nobody is there to be written to."""
    await people.hold(tx, [(event.org, event.data.contact_id) for event in batch])
    now = await enrolments.now(tx)
    causes = {(event.org, event.data.contact_id): event for event in batch}
    held = await enrolments.lock(tx, await enrolments.active_of(tx, sorted(causes)))
    ended = [
        (each.stopped(now, "deleted"), causes[each.organization_id, each.contact_id])
        for each in held
        if each.live
    ]
    await write_all(tx, ended)


def _in_order(batch: Sequence[Received[Any]]) -> list[Received[Any]]:
    return sorted(batch, key=lambda event: (event.org, event.data.contact_id, event.sequence))

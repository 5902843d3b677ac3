"""What crm says of people, and what follows for those who are in sequences."""

from collections.abc import Sequence
from typing import Any, Final

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.crm import ConsentChanged, ContactDeleted, ContactMerged
from flotilla.store.postgres import Transaction

from flotilla_campaign.running import suppress, suppress_all, write, write_all
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
    pairs = [(event.org, event.data.contact_id) for event in batch]
    await people.hold(tx, pairs + [(event.org, event.data.into_contact_id) for event in batch])
    now = await enrolments.now(tx)
    for event in _in_order(batch):
        org, loser, winner = event.org, event.data.contact_id, event.data.into_contact_id
        if await people.is_suppressed(tx, org, loser):
            await suppress(tx, org, winner, "requested", event)
        taken = await contacts.sequences_of(tx, org, winner)
        for each in await enrolments.lock(tx, await enrolments.active_of(tx, [(org, loser)])):
            if not each.live:
                continue
            if each.sequence_id in taken:
                await write(tx, each.stopped(now, "merged"), event)
            elif await people.is_suppressed(tx, org, winner):
                await write(tx, each.stopped(now, "unsubscribed"), event)
            else:
                await write(tx, await contacts.hand_over(tx, each, winner), event)


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

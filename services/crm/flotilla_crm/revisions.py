"""Contacts that others want changed: whose they are, and how they are tagged."""

from collections.abc import Sequence
from dataclasses import replace

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.base import Event
from flotilla.events.crm import ContactUpdated, ContactUpdateFailed, ContactUpdateRequested
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain import normal
from flotilla_crm.domain.contacts import Contact
from flotilla_crm.domain.revision import revise
from flotilla_crm.store import contacts

MAX_TAGS = 50
TAG_CHARACTERS = 50
Requested = Received[ContactUpdateRequested]


class _RefusedError(ValueError):
    """Why a wish is not granted; the words are the reason that its answer carries."""


@reaction(ContactUpdateRequested, lane="wishes")
async def revise_contacts(tx: Transaction, batch: Sequence[Requested]) -> None:
    """Assign and tag contacts as others ask; each wish is answered, also where nothing differs."""
    granted, _ = await wishes.take(tx, batch)
    # Sorted, so that two processes with the same contacts wait for each other in one order.
    for event in sorted(granted, key=lambda event: (event.org, event.data.contact_id, event.id)):
        try:
            fact, sequence = await _revised(tx, event)
        except _RefusedError as refused:
            wish = event.data
            fact = ContactUpdateFailed(
                request_id=wish.request_id, contact_id=wish.contact_id, reason=str(refused)
            )
            sequence = 1
        cause = replace(event.cause, request_id=event.data.request_id)
        tx.emit(fact, org=event.org, sequence=sequence, cause=cause, audience=AUDIENCE)


async def _revised(tx: Transaction, event: Requested) -> tuple[Event, int]:
    wish = event.data
    added, removed = _tags(wish.tags_added), _tags(wish.tags_removed)
    contact = await contacts.read_contact(tx, event.org, wish.contact_id, lock=True)
    if contact is None:
        raise _RefusedError("unknown_contact")
    tags = sorted({*contact.tags, *added} - removed)
    if len(tags) > MAX_TAGS:
        raise _RefusedError("too_many_tags")
    wanted = {"tags": tags}
    if wish.owner_id is not None and wish.owner_id != contact.owner_id:
        if not (await contacts.known(tx, event.org, person=wish.owner_id))["person"]:
            raise _RefusedError("unknown_owner")
        wanted["owner_id"] = wish.owner_id  # type: ignore[assignment]
    revised, changed = revise(contact, wanted)
    saved: Contact = await contacts.save_contact(tx, event.org, revised) if changed else contact
    fact: ContactUpdated = saved.updated(changed)
    return fact, saved.sequence


def _tags(written: Sequence[str]) -> set[str]:
    """As a person would have to write them."""
    try:
        tags = {normal.text(tag, limit=4 * TAG_CHARACTERS) for tag in written}
    except ValueError:
        raise _RefusedError("unfit_tag") from None
    if any(len(tag) > TAG_CHARACTERS or "\n" in tag or "\r" in tag for tag in tags):
        raise _RefusedError("unfit_tag")
    return tags

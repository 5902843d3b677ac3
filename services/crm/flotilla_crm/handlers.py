"""What crm does when others' events come."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from flotilla.bus.declare import NotYetKnown, projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.auth import (
    Client,
    ClientLinked,
    ClientUnlinked,
    User,
    UserCreated,
    UserDeactivated,
    UserUpdated,
)
from flotilla.events.crm import ContactCreated, ContactIdentified
from flotilla.events.messaging import MessageReceived, MessageSent
from flotilla.store import clients
from flotilla.store.postgres import Transaction

from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain.people import Introduction, Stranger, introduce, stranger
from flotilla_crm.domain.timeline import Entry, Kind
from flotilla_crm.store import people, timeline

Key = tuple[UUID, UUID]
"""(organization, channel identity)."""


@projection(UserCreated, UserUpdated, UserDeactivated, lane="directory", tables=("users",))
async def keep_users(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Know who may own a contact or be given a task."""
    await people.keep_users(tx, batch)


@projection(ClientLinked, ClientUnlinked, lane="directory", tables=("client_contacts",))
async def keep_clients(tx: Transaction, batch: Sequence[Received[Client]]) -> None:
    """Know whose bookings a client sees."""
    await clients.keep(tx, batch)


@reaction(MessageReceived, lane="people")
async def meet_senders(tx: Transaction, batch: Sequence[Received[MessageReceived]]) -> None:
    """Know the person behind each message, and note that they wrote.

    For somebody known that is all; for a new channel identity the contact is found or made, and told of.
    """
    first = _first_of_each(batch)
    wrote = _last_of_each(batch)
    claimed = await people.claim(tx, [_stranger(tx, event, wrote[key]) for key, event in first.items()])
    entries: list[Entry] = []
    if claimed:
        reaches = [reach for each in claimed for reach in each.reaches]
        introductions = introduce(claimed, await people.contacts_reached(tx, reaches))
        await people.keep_introductions(tx, introductions)
        for each in introductions:
            entries += _tell(tx, first[each.stranger.org, each.stranger.identity_id], each)
        await tx.arrived("identity", [each.identity_id for each in claimed])
    entries += [_message(event, Kind.MESSAGE_RECEIVED, event.data.sent_at) for event in batch]
    await timeline.append(tx, entries)


@reaction(MessageSent, lane="timeline")
async def note_replies(tx: Transaction, batch: Sequence[Received[MessageSent]]) -> None:
    """Note that they were answered."""
    unknown = await people.unknown_identities(tx, [(event.org, event.data.identity_id) for event in batch])
    if unknown:
        raise NotYetKnown("identity", unknown[0])
    await timeline.append(tx, [_message(event, Kind.MESSAGE_SENT, event.data.occurred_at) for event in batch])


def _first_of_each(batch: Sequence[Received[MessageReceived]]) -> dict[Key, Received[MessageReceived]]:
    """The earliest message of each channel identity, in one order for all processes."""
    first: dict[Key, Received[MessageReceived]] = {}
    for event in sorted(batch, key=lambda event: (event.org, event.data.identity_id, event.data.sent_at)):
        first.setdefault((event.org, event.data.identity_id), event)
    return first


def _last_of_each(batch: Sequence[Received[MessageReceived]]) -> dict[Key, datetime]:
    """When each channel identity wrote last."""
    last: dict[Key, datetime] = {}
    for event in batch:
        key = event.org, event.data.identity_id
        last[key] = max(last.get(key, event.data.sent_at), event.data.sent_at)
    return last


def _stranger(tx: Transaction, event: Received[MessageReceived], wrote_at: datetime) -> Stranger:
    return stranger(
        org=event.org,
        identity_id=event.data.identity_id,
        proposed_id=tx.app.new_id(),
        channel=event.data.channel,
        account_id=event.data.account_id,
        sender=event.data.sender,
        wrote_at=wrote_at,
    )


def _tell(tx: Transaction, event: Received[MessageReceived], introduction: Introduction) -> list[Entry]:
    """Emit that the person is known now; the timeline entries of it."""
    who, contact_id, entries = introduction.stranger, introduction.contact_id, []
    if introduction.new:
        created = ContactCreated(
            contact_id=contact_id,
            name=who.name,
            email=who.email,
            phone=who.phone,
            language=who.language,
            company_id=None,
            owner_id=None,
            tags=[],
            source="channel",
        )
        id_ = tx.emit(created, org=event.org, sequence=1, cause=event, audience=AUDIENCE)
        entries.append(_met(event, id_, Kind.CONTACT_CREATED, contact_id, contact_id))
    identified = ContactIdentified(
        identity_id=who.identity_id,
        contact_id=contact_id,
        channel=who.channel,
        address=who.address,
        name=who.name,
    )
    id_ = tx.emit(identified, org=event.org, sequence=who.sequence, cause=event, audience=AUDIENCE)
    entries.append(_met(event, id_, Kind.CONTACT_IDENTIFIED, contact_id, who.identity_id))
    return entries


def _met(
    event: Received[MessageReceived], event_id: UUID, kind: Kind, contact_id: UUID, reference_id: UUID
) -> Entry:
    return Entry(
        id=event_id,
        org=event.org,
        kind=kind,
        at=event.data.sent_at,
        reference_id=reference_id,
        contact_id=contact_id,
        conversation_id=event.data.conversation_id,
    )


def _message(event: Received[MessageReceived] | Received[MessageSent], kind: Kind, at: datetime) -> Entry:
    return Entry(
        id=event.id,
        org=event.org,
        kind=kind,
        at=at,
        reference_id=event.data.message_id,
        identity_id=event.data.identity_id,
        conversation_id=event.data.conversation_id,
        actor=event.envelope.actor,
    )

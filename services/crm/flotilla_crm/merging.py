"""Contacts that become one, become two again, or go: each in one transaction, told to whoever follows them."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

from flotilla.events.crm import ContactDeleted, ContactIdentified, ContactMerged, ContactUnmerged
from flotilla.http import ConflictError, NotFoundError, UnprocessableError
from flotilla.problems import GoneError
from flotilla.security.principal import Principal
from flotilla.store.postgres import Row, Transaction

from flotilla_crm import consents
from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain.contacts import Contact
from flotilla_crm.domain.merging import Merge, as_json, combined, given_back, restored, snapshot
from flotilla_crm.domain.revision import revise
from flotilla_crm.domain.tasks import Task
from flotilla_crm.domain.timeline import Entry, Kind
from flotilla_crm.store import contacts, merges, timeline


async def merge(
    tx: Transaction, who: Principal, winner_id: UUID, loser_id: UUID, take: Collection[str]
) -> Merge:
    """Make one contact part of another; `take` names the fields in which the one that goes knew better."""
    org = who.org
    winner, loser = await _both(tx, org, winner_id, loser_id)
    revised, changed = revise(winner, combined(winner, loser, take))
    merge_id = tx.app.new_id()
    draft = Merge(
        id=merge_id,
        winner_id=winner_id,
        loser_id=loser_id,
        loser=snapshot(loser),
        changed=as_json(changed),
        actor=who.actor,
        merged_at=datetime.now(UTC),
    )
    done = await merges.add_merge(tx, org, draft)
    tasks, identities = await merges.move(tx, org, loser_id, winner_id, merge_id)
    await consents.follow_merge(tx, org, loser_id, winner_id, merge_id)
    sequence = await merges.bury(tx, org, loser_id, winner_id)
    gone = ContactMerged(
        contact_id=loser_id,
        into_contact_id=winner_id,
        merge_id=merge_id,
        identity_ids=[row["id"] for row in identities],
    )
    event = tx.emit(gone, org=org, sequence=sequence, audience=AUDIENCE)
    if changed:
        saved = await contacts.save_contact(tx, org, revised)
        tx.emit(saved.updated(changed), org=org, sequence=saved.sequence, audience=AUDIENCE)
    _tell_moved(tx, org, tasks, identities, loser_id, winner_id)
    await timeline.append(tx, [_entry(event, who, Kind.CONTACT_MERGED, done, winner_id)])
    return done


async def unmerge(tx: Transaction, who: Principal, merge_id: UUID) -> Merge:
    """Make two of one again. What came or was changed since stays with the contact that had stayed."""
    org = who.org
    merged = await merges.read_merge(tx, org, merge_id, lock=True)
    if merged is None:
        raise NotFoundError("There is no merge with this id.")
    if merged.undone_at is not None:
        raise ConflictError("This merge has been undone.")
    winner = (await merges.hold(tx, org, merged.winner_id)).get(merged.winner_id)
    if winner is None:
        raise ConflictError("The contact that stayed was merged into another since: undo that first.")
    loser = await merges.restore(tx, org, restored(merged.loser))
    tasks, identities = await merges.move_back(tx, org, loser.id, winner.id, merge_id)
    await consents.follow_unmerge(tx, org, loser.id, winner.id, merge_id)
    done = await merges.end_merge(tx, org, merge_id)
    back = ContactUnmerged(
        **loser.state(),
        from_contact_id=winner.id,
        merge_id=merge_id,
        identity_ids=[row["id"] for row in identities],
    )
    event = tx.emit(back, org=org, sequence=loser.sequence, audience=AUDIENCE)
    values = given_back(winner, merged.changed)
    revised, changed = revise(winner, values)
    if changed:
        saved = await contacts.save_contact(tx, org, revised)
        tx.emit(saved.updated(changed), org=org, sequence=saved.sequence, audience=AUDIENCE)
    _tell_moved(tx, org, tasks, identities, winner.id, loser.id)
    await timeline.append(
        tx,
        [
            _entry(event, who, Kind.CONTACT_UNMERGED, done, winner.id),
            _entry(tx.app.new_id(), who, Kind.CONTACT_UNMERGED, done, loser.id),
        ],
    )
    return done


async def delete(tx: Transaction, who: Principal, contact: Contact) -> None:
    """Remove a contact that the transaction holds, and what is about it alone. Tasks stay, about nobody."""
    await let_go(tx, who.org, contact)


async def let_go(tx: Transaction, org: UUID, contact: Contact) -> None:
    """The same for whoever asks."""
    tasks, identities = await merges.let_go(tx, org, contact.id)
    sequence = await merges.bury(tx, org, contact.id)
    _tell_tasks(tx, org, tasks, contact.id, None)
    gone = ContactDeleted(contact_id=contact.id, identity_ids=identities)
    tx.emit(gone, org=org, sequence=sequence, audience=AUDIENCE)


async def known(tx: Transaction, org: UUID, contact_id: UUID) -> None:
    """A 404 or 410 problem where there is no such contact."""
    if await contacts.read_contact(tx, org, contact_id) is None:
        raise await missing(tx, org, contact_id)


async def missing(tx: Transaction, org: UUID, contact_id: UUID) -> NotFoundError | GoneError:
    """Why there is no contact with this id: there never was, or it is no more, and perhaps another is it now."""
    found = await merges.tombstone(tx, org, contact_id)
    if found is None:
        return NotFoundError("There is no contact with this id.")
    if found["merged_into"] is None:
        return GoneError("This contact was deleted.")
    into = str(found["merged_into"])
    return GoneError("This contact was merged into another.", merged_into=into)


async def _both(tx: Transaction, org: UUID, winner_id: UUID, loser_id: UUID) -> tuple[Contact, Contact]:
    if winner_id == loser_id:
        raise UnprocessableError(
            "A contact cannot be merged into itself.",
            errors=[{"pointer": "/contact_id", "detail": "Name another contact."}],
        )
    held = await merges.hold(tx, org, winner_id, loser_id)
    if winner_id not in held:
        raise await missing(tx, org, winner_id)
    if loser_id not in held:
        raise UnprocessableError(
            "Correct the ids named in `errors`.",
            errors=[{"pointer": "/contact_id", "detail": "There is no contact with this id."}],
        )
    return held[winner_id], held[loser_id]


def _tell_moved(
    tx: Transaction, org: UUID, tasks: Sequence[Task], identities: Sequence[Row], old: UUID, new: UUID
) -> None:
    for row in identities:
        identified = ContactIdentified(
            identity_id=row["id"],
            contact_id=new,
            channel=row["channel"],
            address=row["address"],
            name=row["name"],
        )
        tx.emit(identified, org=org, sequence=row["sequence"], audience=AUDIENCE)
    _tell_tasks(tx, org, tasks, old, new)


def _tell_tasks(tx: Transaction, org: UUID, tasks: Sequence[Task], old: UUID, new: UUID | None) -> None:
    for task in tasks:
        updated = task.updated({"contact_id": [old, new]})
        tx.emit(updated, org=org, sequence=task.sequence, audience=AUDIENCE)


def _entry(id_: UUID, who: Principal, kind: Kind, merged: Merge, contact_id: UUID) -> Entry:
    at = merged.undone_at or merged.merged_at
    return Entry(
        id=id_, org=who.org, kind=kind, at=at, reference_id=merged.id, contact_id=contact_id, actor=who.actor
    )

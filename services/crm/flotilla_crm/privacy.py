"""What crm holds of people, and how it is forgotten."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.privacy import ContactResolved, ContactResolveFailed, ContactResolveRequested
from flotilla.privacy import Person, Privacy, Rows
from flotilla.privacy.declare import Counts
from flotilla.privacy.keep import Keep
from flotilla.store.postgres import Transaction

from flotilla_crm import merging
from flotilla_crm.store import contacts
from flotilla_crm.store import privacy as store

UNKNOWN: Final = "unknown_contact"
ERASED: Final = "'[erased]'"


@reaction(ContactResolveRequested, lane="wishes")
async def resolve_contacts(tx: Transaction, batch: Sequence[Received[ContactResolveRequested]]) -> None:
    """Tell every id by which a contact is known: those merged with it, and their channel identities."""
    found = await store.resolve(tx, [(event.org, event.data.contact_id) for event in batch])
    for event in batch:
        wish, cause = event.data, replace(event.cause, request_id=event.data.request_id)
        known = found.get((event.org, wish.contact_id))
        answer: ContactResolved | ContactResolveFailed
        if known is None:
            answer = ContactResolveFailed(request_id=wish.request_id, reason=UNKNOWN)
        else:
            answer = ContactResolved(
                request_id=wish.request_id,
                contact_ids=known.contacts,
                identity_ids=known.identities,
                conversation_ids=tuple(known.conversations),
            )
        tx.emit(answer, org=event.org, sequence=1, cause=cause)


async def _let_go(tx: Transaction, org: UUID, person: Person) -> Counts:
    """Contacts go as when a colleague removes them, and whoever has a copy is told; but titles go first."""
    await store.clear_tasks(tx, org, person.contacts, person.conversations, "[erased]")
    parts = await store.drop_import_parts(tx, org, person.contacts)
    for contact_id in sorted(person.contacts):
        contact = await contacts.read_contact(tx, org, contact_id, lock=True)
        if contact is not None:
            await merging.let_go(tx, org, contact)
    return {"import_parts": parts} if parts else {}


privacy: Final = Privacy(
    rows=(
        Rows("contacts", contact=("id",)),
        Rows("channel_identities", contact=("contact_id",), identity=("id",)),
        Rows("contact_merges", contact=("winner_id", "loser_id")),
        Rows(
            "tasks",
            contact=("contact_id",),
            conversation=("conversation_id",),
            clear={"title": ERASED, "contact_id": "NULL"},
        ),
        Rows("notes", contact=("contact_id",)),
        Rows("timeline_entries", contact=("contact_id",)),
        Rows("bookings", contact=("contact_id",), clear={"title": ERASED, "reason": "NULL"}),
        Rows("leads", contact=("contact_id",)),
        Rows("consent_records", contact=("contact_id",)),
        Rows("consents", contact=("contact_id",)),
        Rows("segment_members", contact=("contact_id",)),
    ),
    within=_let_go,
    keeps=(Keep("notes", "notes"),),
    harmless={
        "client_contacts": "ids, and none of a contact that is gone",
        "users": "roles",
        "companies": "of companies",
        "contact_tags": "goes with its contact",
        "contact_merge_moves": "ids",
        "booking_hosts": "when a colleague can be booked",
        "segments": "conditions",
        "imports": "names of files and of their columns",
        "import_parts": "a file is there until it was read; whoever is named in one by address has it removed",
        "import_errors": "which field was wrong, and why",
        "lead_routing": "one of three words",
    },
)

"""What messaging holds of people, and how it is forgotten."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.app import App
from flotilla.privacy import Person, Privacy, Rows
from flotilla.privacy.declare import Counts
from flotilla.privacy.keep import Keep
from flotilla.privacy.rows import find

from flotilla_messaging.domain.attachments import ATTACHMENTS, folders_of
from flotilla_messaging.filing import files_of
from flotilla_messaging.store import bodies, outgrown

AT_ONCE: Final = 500

_ROWS: Final = (
    Rows("identities", contact=("contact_id",), identity=("id",)),
    Rows(
        "conversations", identity=("identity_id",), conversation=("id",), via=(("identity_id", "identities"),)
    ),
    Rows("messages", via=(("conversation_id", "conversations"),)),
    Rows("escalations", via=(("conversation_id", "conversations"),)),
    Rows("attachments", via=(("conversation_id", "conversations"),)),
)


async def _forget_bodies(app: App, org: UUID, person: Person) -> Counts:
    """What they wrote, were written and sent; before the rows, which say which bodies and files they are."""
    ids, attached = await _held_of(app, org, person)
    gone = await _forget_said(app, org, ids)
    files = await _forget_files(app, org, attached)
    return {name: count for name, count in (("bodies", gone), ("files", files)) if count}


async def _forget_said(app: App, org: UUID, ids: Sequence[UUID]) -> int:
    gone = 0
    for start in range(0, len(ids), AT_ONCE):
        gone += await bodies.collection(app).delete_by_ids(org, ids[start : start + AT_ONCE])
    return gone


async def _forget_files(app: App, org: UUID, attached: Sequence[UUID]) -> int:
    files = 0
    for attachment_id in attached:
        for folder in folders_of(attachment_id):
            files += await files_of(app).delete(org, folder)
    return files


async def _outgrown_messages(app: App, org: UUID, ids: Sequence[UUID]) -> None:
    """What messages say, and the files that came with them."""
    async with app.db.transaction(org) as tx:
        edited, attached = await outgrown.held_of(tx, org, ids)
    await _forget_said(app, org, [*ids, *edited])
    await _forget_files(app, org, attached)


async def _outgrown_files(app: App, org: UUID, ids: Sequence[UUID]) -> None:
    await _forget_files(app, org, ids)


async def _forget_all_bodies(app: App, org: UUID) -> Counts:
    gone = await bodies.collection(app).delete_of(org)
    files = await files_of(app).delete(org, ATTACHMENTS)
    return {name: count for name, count in (("bodies", gone), ("files", files)) if count}


async def _export_bodies(app: App, org: UUID, person: Person | None) -> AsyncIterator[tuple[str, list[Any]]]:
    if person is None:
        async for some in bodies.collection(app).all_of(org, AT_ONCE):
            yield "bodies", some
        return
    ids, _ = await _held_of(app, org, person)
    for start in range(0, len(ids), AT_ONCE):
        found = await bodies.collection(app).find_by_ids(org, ids[start : start + AT_ONCE])
        yield "bodies", list(found.values())


async def _held_of(app: App, org: UUID, person: Person) -> tuple[list[UUID], list[UUID]]:
    """The ids of bodies, and of attachments."""
    async with app.db.transaction(org) as tx:
        found = await find(
            tx, (*_ROWS, Rows("messages", via=(("id", "messages"),), key="body_id")), org, person
        )
    said = sorted({id_ for id_ in found.by_table.get("messages", ()) if id_ is not None})
    return said, sorted(found.by_table.get("attachments", ()))


privacy: Final = Privacy(
    rows=_ROWS,
    outside=_forget_bodies,
    documents=_export_bodies,
    outside_of_organization=_forget_all_bodies,
    keeps=(
        Keep("attachments", "attachments", outside=_outgrown_files),
        Keep("messages", "messages", outside=_outgrown_messages, within=outgrown.drop_files),
        Keep("messages", "escalations"),
    ),
    harmless={
        "client_contacts": "ids, and none of a contact that is gone",
        "inboxes": "what an organization calls its inboxes",
        "members": "roles",
        "teams": "states",
        "wishes": "states",
    },
)

"""The fold of search: documents are written first and the cursor moves after, since writing them is repeatable."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Worker
from flotilla.events.base import CONTRACTS
from flotilla.store.postgres import Row

from flotilla_analytics.archiving import IDENTIFIED, open_events
from flotilla_analytics.domain import persons
from flotilla_analytics.domain.documents import TYPES, Document, Source, document_of
from flotilla_analytics.resources import Resources
from flotilla_analytics.search.base import Search
from flotilla_analytics.store import archive, ledger
from flotilla_analytics.store.keys import Person
from flotilla_analytics.store.persons import read_erased
from flotilla_analytics.workers.folds import Stretch, catch_up, next_stretch

log = structlog.get_logger()

BATCH: Final = 500
FOLDED: Final = (*TYPES, IDENTIFIED)


async def fold_next(app: App, search: Search, limit: int = BATCH) -> bool:
    """Index the next stretch of positions; False where there was none."""
    stretch = await next_stretch(app.db, search.name, FOLDED, limit)
    if stretch is None:
        return False
    async with app.db.transaction(stretch.orgs) as tx:
        rows = await archive.read_folded(tx, stretch.entries, FOLDED)
        opened = await open_events(tx, app.keyring, rows)
    documents = [_document(row, data) for row, data in zip(rows, opened, strict=True) if row["type"] in TYPES]
    if found := [document for document in documents if document is not None]:
        await search.index(found)
    await _remove_erased(app, search, stretch, _people(rows, opened))
    async with app.db.transaction([]) as tx:
        await ledger.move_cursor(tx, search.name, stretch.after, stretch.end)
    return True


def _people(rows: list[Row], opened: list[dict[str, Any]]) -> set[Person]:
    """Whose documents these events made, and the identities that turned out to be a contact's."""
    people = {(row["organization_id"], row["person"]) for row in rows if row["person"]}
    for row, data in zip(rows, opened, strict=True):
        if row["type"] == IDENTIFIED:
            people.add((row["organization_id"], persons.reference("identity_id", data.get("identity_id"))))
    return people


async def _remove_erased(app: App, search: Search, stretch: Stretch, people: set[Person]) -> None:
    """Take out what belongs to erased people.

    The erasure may have looked before it was indexed here, or the identity have been linked to a contact who
    had been erased already.
    """
    if not people:
        return
    async with app.db.transaction(stretch.orgs) as tx:
        erased = await read_erased(tx, people)
    gone: dict[UUID, list[str]] = {}
    for org, person in erased:
        gone.setdefault(org, []).append(person)
    for org, references in gone.items():
        await search.delete_person(org, references)


async def fold_search(app: App) -> None:
    """Fold until caught up."""
    own: Resources = app.own
    await catch_up(app, lambda: fold_next(app, own.search))


def _document(row: Row, data: dict[str, Any]) -> Document | None:
    """The event's document; what breaks its contract is not found."""
    try:
        event = msgspec.convert(data, CONTRACTS[row["type"]].data)
    except msgspec.ValidationError as error:
        log.warning("search.skipped", event_id=str(row["id"]), type=row["type"], error=type(error).__name__)
        return None
    return document_of(Source(row["organization_id"], row["sequence"], row["time"], row["person"], event))


worker = Worker("search", every=timedelta(milliseconds=500), run=fold_search)

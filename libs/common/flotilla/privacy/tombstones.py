"""Whom a service was asked to forget, in memory: what comes late must not bring them back.

Events that speak of somebody forgotten come to projections without what is personal in them; reactions do not get
them at all, but for facts that answer a wish, which sagas wait for. Of an organization that was erased nothing comes
to anybody: there is nothing to keep a copy for. A contact and a colleague never come back under
their ids; a channel identity may write again, and what it says after the request is news.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.bus.declare import Handler, HandlerKind
from flotilla.bus.envelope import Received
from flotilla.events.base import Event, contract_of
from flotilla.events.privacy import (
    Answer,
    ContactResolved,
    ContactResolveFailed,
    ContactResolveRequested,
    Subject,
)
from flotilla.privacy.redaction import without_personal
from flotilla.store.postgres import Database, Transaction

ABOUT_PRIVACY: Final = (Subject, Answer, ContactResolved, ContactResolveFailed, ContactResolveRequested)
"""What is said of the forgetting itself; it names nobody."""
READ: Final = "SELECT organization_id, id, until FROM forgotten"
BURY: Final = """
INSERT INTO forgotten (organization_id, id, until)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
ON CONFLICT (organization_id, id) DO UPDATE
SET until = CASE WHEN forgotten.until IS NULL OR excluded.until IS NULL THEN NULL
                 ELSE greatest(forgotten.until, excluded.until) END,
    written_at = now()"""


class Tombstones:
    """Who is forgotten: (organization, id) to the moment up to which, or None for ever."""

    def __init__(self) -> None:
        self._until: dict[tuple[UUID, UUID], datetime | None] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    async def read(self, db: Database) -> None:
        """Take over what the database says."""
        rows = await db.fetch(READ)
        self._until = {(row["organization_id"], row["id"]): row["until"] for row in rows}

    def cover(self, event: Received[Any]) -> bool:
        """Whether the event speaks of somebody forgotten, before they were."""
        org = event.org
        if isinstance(event.data, ABOUT_PRIVACY):
            return False
        if (org, org) in self._until:
            return True
        persons = _persons(event.data)
        return any(self._covers(org, person, event.envelope.time) for person in persons)

    def spare(self, handler: Handler, events: Sequence[Received[Event]]) -> list[Received[Event]]:
        """The events as this handler may have them."""
        kept: list[Received[Event]] = []
        for event in events:
            if not self.cover(event):
                kept.append(event)
            elif (event.org, event.org) in self._until:
                continue
            elif handler.kind is HandlerKind.PROJECTION or _answers(event):
                kept.append(without_personal(event))
        return kept

    def _covers(self, org: UUID, id_: object, time: datetime) -> bool:
        if not isinstance(id_, UUID) or (org, id_) not in self._until:
            return False
        until = self._until[org, id_]
        return until is None or time <= until


def _persons(data: Event) -> Iterator[object]:
    """Whom it speaks of; of what is nobody's from now on, whose it was."""
    for name in contract_of(type(data)).person:
        person = getattr(data, name)
        if person is None and (before := data.changed.get(name)) and isinstance(before[0], str):
            person = UUID(before[0])
        yield person


def _answers(event: Received[Any]) -> bool:
    return event.envelope.requestid is not None and ".requested." not in event.envelope.type


async def bury(tx: Transaction, buried: Iterable[tuple[UUID, UUID, datetime | None]]) -> None:
    """Remember (organization, id, up to when); never shortens what is remembered."""
    rows = {(org, id_): until for org, id_, until in buried}
    if rows:
        keys = sorted(rows)
        await tx.execute(
            BURY, [org for org, _ in keys], [id_ for _, id_ in keys], [rows[key] for key in keys]
        )

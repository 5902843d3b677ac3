"""Which positions and events make the next stretch of a reading."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.events.base import SEQUENCE_WIDTH, Envelope
from flotilla.replay.wire import Filter, Stretch
from flotilla.store.postgres import Row

from flotilla_analytics.archiving import open_events, redacted
from flotilla_analytics.store import ledger, replays

PAGE: Final = 1_000
"""Positions looked through at once."""
PAGES: Final = 20
"""And so many times, where few events are wanted, before a stretch goes out that says how far it is."""
MAX_EVENTS: Final = 200
MAX_BYTES: Final = 1 << 20
FEW: Final = 10
"""So many organizations are each looked for by themselves; of more everybody's positions are looked through."""

_encode = msgspec.json.Encoder().encode


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What is read for whom: the payload of the job."""

    id: UUID
    request_id: UUID
    queue: str
    filter: Filter
    after: int = 0
    newest_of: list[list[str]] = []
    """Groups of types within which only an entity's newest state is sent; none: every event."""
    personal: bool = True
    replay: bool = False
    """Whether it is for a replay, and goes on until that has ended."""

    @property
    def cursor(self) -> str:
        """Where its position stands in `cursors`."""
        return f"reading {self.id}"


@dataclass
class _Draft:
    """A stretch that grows page by page."""

    upto: int
    events: list[msgspec.Raw] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    organizations: set[UUID] = field(default_factory=set)
    size: int = 0

    @property
    def full(self) -> bool:
        return len(self.events) >= MAX_EVENTS or self.size >= MAX_BYTES

    def take(self, entries: Sequence[tuple[int, UUID, UUID]], found: dict[int, bytes]) -> None:
        """As many of these positions as there is room for."""
        for position, org, _ in entries:
            if self.full:
                return
            self.upto = position
            self.organizations.add(org)
            if (body := found.get(position)) is not None:
                self.events.append(msgspec.Raw(body))
                self.positions.append(position)
                self.size += len(body)


async def next_stretch(app: App, reading: Reading, after: int) -> Stretch | None:
    """What comes after this position; None where the archive ends there."""
    draft, orgs = _Draft(after), reading.filter.organizations
    for _ in range(PAGES):
        entries, upto = await ledger.read_after(app.db, draft.upto, PAGE, orgs if len(orgs) <= FEW else ())
        if entries:
            draft.take(entries, await _wanted(app, reading, entries))
        if draft.full:
            break
        draft.upto = upto
        if len(entries) < PAGE:
            break
    if draft.upto == after:
        return None
    return Stretch(
        id=reading.id,
        after=after,
        upto=draft.upto,
        events=draft.events,
        positions=draft.positions,
        organizations=sorted(draft.organizations),
    )


async def _wanted(app: App, reading: Reading, entries: Sequence[tuple[int, UUID, UUID]]) -> dict[int, bytes]:
    """The events that the reading wants of these, by position."""
    wanted = reading.filter
    chosen = [each for each in entries if not wanted.organizations or each[1] in wanted.organizations]
    if not chosen:
        return {}
    positions, orgs, ids = (list(column) for column in zip(*chosen, strict=True))
    groups = [(type_, number) for number, types in _groups(reading.newest_of) for type_ in types]
    async with app.db.transaction(set(orgs)) as tx:
        rows = await tx.fetch(
            replays.WANTED,
            positions,
            orgs,
            ids,
            list(wanted.types),
            list(wanted.subjects),
            wanted.since,
            [type_ for type_, _ in groups],
            [number for _, number in groups],
        )
        told = (
            await open_events(tx, app.keyring, rows)
            if reading.personal
            else [redacted(row).data for row in rows]
        )
    return {row["position"]: published(row, data) for row, data in zip(rows, told, strict=True)}


def _groups(newest_of: Sequence[Sequence[str]]) -> list[tuple[int, list[str]]]:
    """Numbered by projection and entity: sequences count for each entity by itself."""
    found: dict[tuple[int, str], list[str]] = {}
    for place, types in enumerate(newest_of):
        for type_ in types:
            found.setdefault((place, type_.rsplit(".", 2)[0]), []).append(type_)
    return list(enumerate(found.values()))


def published(row: Row, data: dict[str, Any]) -> bytes:
    """An archived row as the event it was."""
    return _encode(
        Envelope(
            id=row["id"],
            source=row["source"],
            type=row["type"],
            subject=row["subject"],
            time=row["time"],
            organizationid=row["organization_id"],
            region=row["region"],
            sequence=str(row["sequence"]).zfill(SEQUENCE_WIDTH),
            correlationid=row["correlation_id"],
            causationid=row["causation_id"],
            requestid=row["request_id"],
            traceparent=row["traceparent"],
            actor=row["actor"],
            audience=row["audience"],
            dataschema=f"urn:flotilla:event:{row['type']}",
            data=msgspec.Raw(_encode(data)),
        )
    )

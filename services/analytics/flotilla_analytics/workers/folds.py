"""Folding over positions: read on from the cursor, and do what is there exactly once or repeatably."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec
import structlog
from flotilla.app import App
from flotilla.events.base import CONTRACTS
from flotilla.store.postgres import Database, Row

from flotilla_analytics.domain.facts import Fact
from flotilla_analytics.store import ledger

log = structlog.get_logger()

BATCH: Final = 1_000
TURN_SECONDS: Final = 10


@dataclass(frozen=True)
class Stretch:
    """Sealed events that a fold has not had."""

    name: str
    after: int
    """The fold's cursor."""
    end: int
    """Where the cursor stands once these are done."""
    entries: list[tuple[int, UUID, UUID]]
    """(position, organization, event) of those that may be of its types, by position."""

    @property
    def orgs(self) -> set[UUID]:
        """Whose events these are."""
        return {org for _, org, _ in self.entries}


async def next_stretch(db: Database, name: str, types: Sequence[str], limit: int = BATCH) -> Stretch | None:
    """What comes after the cursor of the fold, which is made of these types; None where it has caught up."""
    after = await ledger.read_cursor(db, name)
    found = await ledger.read_stretch(db, after, limit, types)
    return Stretch(name, after, *found) if found is not None else None


def facts_of(fold: str, rows: Sequence[Row]) -> list[Fact]:
    """Archived events as their contracts have them; what breaks its contract counts nowhere, and is logged."""
    return [fact for row in rows if (fact := _fact(fold, row)) is not None]


def _fact(fold: str, row: Row) -> Fact | None:
    try:
        data = msgspec.convert(row["data"], CONTRACTS[row["type"]].data)
    except msgspec.ValidationError as error:  # its words may repeat what is personal
        log.warning(f"{fold}.skipped", event_id=str(row["id"]), type=row["type"], error=type(error).__name__)
        return None
    return Fact(row["organization_id"], row["sequence"], data)


async def catch_up(app: App, step: Callable[[], Awaitable[bool]]) -> None:
    """Repeat `step` until it has nothing to do, the process stops, or the turn is over.

    A turn ends well before the worker's lease does; the next one goes on from the cursor.
    """
    end = time.monotonic() + TURN_SECONDS
    while not app.stopping.is_set() and time.monotonic() < end and await step():
        pass

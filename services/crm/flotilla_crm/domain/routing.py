"""Who is given a lead."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

NEVER: Final = datetime.min.replace(tzinfo=UTC)
CONTACT_OWNER: Final = "contact_owner"


class Mode(StrEnum):
    """By what rule."""

    OFF = "off"
    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"


@dataclass(frozen=True)
class Taker:
    """Somebody who takes leads and is there."""

    id: UUID
    took_at: datetime | None
    """When they were last given one by turns."""
    load: int
    """How many open leads are theirs."""


@dataclass(frozen=True)
class Unrouted:
    """A lead that is nobody's."""

    id: UUID
    contact_owner_id: UUID | None
    """Whose its contact is, if they are there."""


@dataclass(frozen=True)
class Given:
    """Whose the lead is now, and by what rule."""

    lead_id: UUID
    owner_id: UUID
    rule: str
    at: datetime


def route(
    leads: Iterable[Unrouted],
    takers: Sequence[Taker],
    mode: Mode,
    now: datetime,
    *,
    contact_owner_first: bool,
) -> list[Given]:
    """Give the leads away, each as if those before it had been given already; what nobody takes is left out."""
    if mode is Mode.OFF:
        return []
    standing = {taker.id: taker for taker in takers}
    given: list[Given] = []
    for lead in leads:
        if contact_owner_first and lead.contact_owner_id is not None:
            given.append(Given(lead.id, lead.contact_owner_id, CONTACT_OWNER, now))
            continue
        if not standing:
            continue
        taker = min(standing.values(), key=lambda taker: _turn(taker, mode))
        # A microsecond apart, so that leads of one moment are given in turns as well.
        turn = now + timedelta(microseconds=len(given))
        standing[taker.id] = replace(taker, took_at=turn, load=taker.load + 1)
        given.append(Given(lead.id, taker.id, mode.value, turn))
    return given


def _turn(taker: Taker, mode: Mode) -> tuple[int, datetime, UUID]:
    load = taker.load if mode is Mode.LEAST_LOADED else 0
    return load, taker.took_at or NEVER, taker.id

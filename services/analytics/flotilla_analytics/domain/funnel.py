"""A funnel: what went through each stage of a pipeline, from the moves between them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from flotilla_analytics.domain.figures import Durations, together


class Place(NamedTuple):
    """A stage, as it stands now."""

    id: UUID
    name: str
    kind: str
    """`open`, `won` or `lost`."""
    position: int
    archived: bool


class Moves(NamedTuple):
    """All moves from one stage (the nil id: as new) to another, and how long they had stood there."""

    from_stage: UUID
    to_stage: UUID
    took: Durations


@dataclass
class Passage:
    """What went through a stage."""

    place: Place
    reached: int = 0
    """Of the deals made in the period, those that ever stood here."""
    entered: int = 0
    left_forward: int = 0
    left_back: int = 0
    left_lost: int = 0
    stays: list[Durations] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Whichever way."""
        return self.left_forward + self.left_back + self.left_lost

    @property
    def time(self) -> Durations:
        """How long those had stood here that left."""
        return together(self.stays)


def passages(places: Sequence[Place], moves: Iterable[Moves], reached: dict[UUID, int]) -> list[Passage]:
    """Each stage's passage, in the order of `places`.

    A move is forward into a won stage or one further on, back to one before or out of a decided one.
    """
    found = {place.id: Passage(place, reached.get(place.id, 0)) for place in places}
    for move in moves:
        if move.to_stage in found:
            found[move.to_stage].entered += move.took.count
        if move.from_stage in found:
            _leave(found[move.from_stage], found.get(move.to_stage), move.took)
    return list(found.values())


def _leave(left: Passage, to: Passage | None, took: Durations) -> None:
    left.stays.append(took)
    if to is None:  # its stage is not known yet
        left.left_forward += took.count
    elif to.place.kind == "lost":
        left.left_lost += took.count
    elif to.place.kind == "won":
        left.left_forward += took.count
    elif left.place.kind != "open" or to.place.position < left.place.position:
        left.left_back += took.count
    else:
        left.left_forward += took.count

"""The causal order of a journey: which event caused which."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol
from uuid import UUID


class Step(Protocol):
    """An event that knows its cause."""

    @property
    def id(self) -> UUID:
        """Its id."""
        ...

    @property
    def causation_id(self) -> UUID | None:
        """The event that caused it; None where a request did."""
        ...


class Place(NamedTuple):
    """Where an event stands in the tree: where it is in what was given, and how deep below its first cause."""

    at: int
    depth: int


def causal_order(steps: Sequence[Step]) -> list[Place]:
    """Each event after its cause and before what its cause did next; causes that are not there count as none.

    `steps` by time; what one event caused stays in that order. Every event comes once, even of a circle.
    """
    present = {step.id for step in steps}
    effects: dict[UUID | None, list[int]] = {}
    for index, step in enumerate(steps):
        cause = step.causation_id if step.causation_id in present and step.causation_id != step.id else None
        effects.setdefault(cause, []).append(index)
    placed: dict[int, Place] = {}
    _walk(steps, effects, effects.get(None, []), placed)
    for index in range(len(steps)):
        if index not in placed:
            _walk(steps, effects, [index], placed)
    return list(placed.values())


def _walk(
    steps: Sequence[Step], effects: dict[UUID | None, list[int]], roots: list[int], placed: dict[int, Place]
) -> None:
    waiting = [Place(index, 0) for index in reversed(roots)]
    while waiting:
        place = waiting.pop()
        if place.at in placed:
            continue
        placed[place.at] = place
        below = effects.get(steps[place.at].id, [])
        waiting.extend(Place(index, place.depth + 1) for index in reversed(below))

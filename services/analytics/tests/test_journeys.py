"""The causal order of a journey."""

import random
from dataclasses import dataclass
from uuid import UUID

from flotilla_analytics.domain.journeys import causal_order
from hypothesis import given
from hypothesis import strategies as st


@dataclass(frozen=True)
class Step:
    id: UUID
    causation_id: UUID | None


def step(number: int, cause: int | None = None) -> Step:
    return Step(UUID(int=number), None if cause is None else UUID(int=cause))


def order(*steps: Step) -> list[tuple[int, int]]:
    return [(steps[place.at].id.int, place.depth) for place in causal_order(steps)]


def test_effects_follow_their_cause_whatever_came_first() -> None:
    told = order(step(4, 2), step(1), step(3, 1), step(2, 1), step(5, 3))
    assert told == [(1, 0), (3, 1), (5, 2), (2, 1), (4, 2)]


def test_a_cause_that_is_not_there_makes_a_beginning() -> None:
    assert order(step(2, 99), step(3, 2)) == [(2, 0), (3, 1)]


def test_a_circle_ends() -> None:
    assert sorted(order(step(1, 2), step(2, 1), step(3, 3))) == [(1, 0), (2, 1), (3, 0)]


@given(st.lists(st.none() | st.integers(0, 30), max_size=30), st.randoms())
def test_every_event_comes_once(causes: list[int | None], chance: random.Random) -> None:
    steps = [step(number, cause) for number, cause in enumerate(causes)]
    chance.shuffle(steps)
    assert sorted(place.at for place in causal_order(steps)) == list(range(len(steps)))

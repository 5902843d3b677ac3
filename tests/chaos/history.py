"""Says of a history whether each promise was kept: in the manner of Jepsen, by what was recorded, afterwards.

Clients record what they asked for and what they were told. When nothing moves any more, the stores are read:
how often each effect of each input is there, and in which state each entity ended. From these alone the
verdict follows, so that it can be tested with histories that are known to be broken.

- An input that was acknowledged has each of its effects exactly once.
- One whose answer was lost has all of them once, or none at all: never a half.
- Nothing has an effect that nobody asked for.
- Every copy of an entity ended at the highest sequence that its owner ever gave out.
- An effect outside may be asked for again under the same key; what the outside accepted, it accepted once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID


@dataclass
class History:
    """What clients asked for, and what they know of it."""

    acknowledged: set[UUID] = field(default_factory=set)
    """Inputs that were answered with success."""
    unknown: set[UUID] = field(default_factory=set)
    """Inputs that were sent and whose answer was never seen."""
    refused: set[UUID] = field(default_factory=set)
    """Inputs that were answered with a refusal: they may have no effect."""
    told: dict[UUID, int] = field(default_factory=dict)
    """The highest sequence of each entity that its owner told a client."""

    @property
    def asked(self) -> set[UUID]:
        """Everything that was ever sent."""
        return self.acknowledged | self.unknown | self.refused


@dataclass(frozen=True)
class Found:
    """What stands in the stores at the end."""

    effects: Mapping[str, Counter[UUID]]
    """Name of an effect → input → how often it is there. Every effect that an input must have is named."""
    owned: Mapping[UUID, int]
    """Entity → its sequence where it belongs."""
    copies: Mapping[str, Mapping[UUID, int]]
    """Name of a copy → entity → the sequence that it shows."""


@dataclass(frozen=True)
class Verdict:
    """What is wrong; nothing, if all is well."""

    lost: tuple[tuple[str, UUID], ...]
    """(effect, input): acknowledged, and the effect is not there."""
    doubled: tuple[tuple[str, UUID], ...]
    """(effect, input): there more than once."""
    halved: tuple[UUID, ...]
    """Inputs of unknown outcome with some of their effects."""
    invented: tuple[tuple[str, UUID], ...]
    """(effect, input): nobody asked, or it was refused."""
    forgotten: tuple[UUID, ...]
    """Entities whose owner shows less than it once told a client."""
    stale: tuple[tuple[str, UUID], ...]
    """(copy, entity): not at the sequence of its owner."""

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not any(vars(self).values())

    def __str__(self) -> str:
        wrong = {name: found for name, found in vars(self).items() if found}
        parts = [f"{len(found)} {name} (first: {found[0]})" for name, found in wrong.items()]
        return "; ".join(parts) or "every promise was kept"


def judge(history: History, found: Found) -> Verdict:
    """Compare what was promised with what is there."""
    return Verdict(
        lost=tuple(_lost(history, found)),
        doubled=tuple(_doubled(found)),
        halved=tuple(_halved(history, found)),
        invented=tuple(_invented(history, found)),
        forgotten=tuple(
            each for each, sequence in history.told.items() if found.owned.get(each, 0) < sequence
        ),
        stale=tuple(_stale(found)),
    )


def _lost(history: History, found: Found) -> Iterator[tuple[str, UUID]]:
    for name, counts in found.effects.items():
        yield from ((name, each) for each in history.acknowledged if counts[each] == 0)


def _doubled(found: Found) -> Iterator[tuple[str, UUID]]:
    for name, counts in found.effects.items():
        yield from ((name, each) for each, times in counts.items() if times > 1)


def _halved(history: History, found: Found) -> Iterator[UUID]:
    for each in history.unknown - history.acknowledged:
        there = [counts[each] > 0 for counts in found.effects.values()]
        if any(there) and not all(there):
            yield each


def _invented(history: History, found: Found) -> Iterator[tuple[str, UUID]]:
    allowed = history.acknowledged | history.unknown
    for name, counts in found.effects.items():
        yield from ((name, each) for each in counts if each not in allowed)


def _stale(found: Found) -> Iterator[tuple[str, UUID]]:
    for name, shown in found.copies.items():
        for each in found.owned.keys() | shown.keys():
            if shown.get(each) != found.owned.get(each):
                yield name, each

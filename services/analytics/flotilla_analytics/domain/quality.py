"""Quality: what a review gives, and how far reviewers agree. Scores are 0 to 100, two decimals."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final
from uuid import UUID

_PLACES: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Given:
    """What a review gives for one criterion, as the criterion stood."""

    criterion_id: UUID
    name: str
    score: int
    most: int
    weight: int

    @property
    def share(self) -> Decimal:
        """From 0 to 100."""
        return Decimal(100 * self.score) / self.most


@dataclass(frozen=True, slots=True)
class Agreement:
    """What several gave for the same."""

    reviews: int
    average: Decimal
    spread: Decimal
    """The highest less the lowest."""


def total(given: Sequence[Given]) -> Decimal:
    """The weighted mean of the criteria."""
    weights = sum(each.weight for each in given)
    return _rounded(sum((each.share * each.weight for each in given), Decimal()) / weights)


def agreement(scores: Sequence[Decimal]) -> Agreement:
    """The calibration average of one thing that several judged."""
    return Agreement(
        len(scores), _rounded(sum(scores, Decimal()) / len(scores)), _rounded(max(scores) - min(scores))
    )


def by_criterion(reviews: Iterable[Sequence[Given]]) -> dict[UUID, tuple[str, Agreement]]:
    """Criterion → its name and how far its reviewers agree, in the order of the names."""
    shares: dict[UUID, list[Decimal]] = defaultdict(list)
    names: dict[UUID, str] = {}
    for review in reviews:
        for each in review:
            shares[each.criterion_id].append(each.share)
            names[each.criterion_id] = each.name
    return {
        key: (names[key], agreement(shares[key])) for key in sorted(names, key=lambda key: (names[key], key))
    }


def given_of(stored: Iterable[Mapping[str, Any]]) -> list[Given]:
    """As the table keeps them."""
    return [Given(**{**each, "criterion_id": UUID(each["criterion_id"])}) for each in stored]


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_PLACES, ROUND_HALF_EVEN)

"""What answers to a survey make together. Scores come as {score: how many}; none gives None."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from flotilla_analytics.domain.figures import mean

SCALES: Final[dict[str, tuple[int, int] | None]] = {
    "csat": (1, 5),
    "nps": (0, 10),
    "ces": (1, 7),
    "custom": None,
}
"""The lowest and highest score of each kind of survey; a custom one asks for words only."""
SATISFIED: Final = 4
PROMOTER: Final = 9
DETRACTOR: Final = 6


def csat(scores: Mapping[int, int]) -> Decimal | None:
    """Percent of answers that are 4 or 5 of 5."""
    satisfied = sum(count for score, count in scores.items() if score >= SATISFIED)
    return mean(100 * satisfied, sum(scores.values()))


def nps(scores: Mapping[int, int]) -> Decimal | None:
    """Percent of 9 and 10 less percent of 0 to 6, of 0 to 10: from -100 to 100."""
    promoters = sum(count for score, count in scores.items() if score >= PROMOTER)
    detractors = sum(count for score, count in scores.items() if score <= DETRACTOR)
    return mean(100 * (promoters - detractors), sum(scores.values()))


def average(scores: Mapping[int, int]) -> Decimal | None:
    """The mean score."""
    return mean(sum(score * count for score, count in scores.items()), sum(scores.values()))


def figure(kind: str, scores: Mapping[int, int]) -> Decimal | None:
    """What a survey of a kind is summed up by; None of one that asks for words."""
    match kind:
        case "csat":
            return csat(scores)
        case "nps":
            return nps(scores)
        case "ces":
            return average(scores)
        case _:
            return None

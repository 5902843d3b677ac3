"""Figures made of sums: rates and durations. A rate is a decimal string with four places, null of nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from flotilla_analytics.domain.histogram import percentile

_PLACES: Final = Decimal("0.0001")


def rate(part: int, whole: int) -> str | None:
    """`part` of `whole`: `0.3333`."""
    if whole <= 0:
        return None
    return str((Decimal(part) / whole).quantize(_PLACES, ROUND_HALF_EVEN))


def mean(total: Decimal | int, count: int) -> Decimal | None:
    """What one has of it, to four places."""
    return (Decimal(total) / count).quantize(_PLACES, ROUND_HALF_EVEN) if count > 0 else None


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took."""

    count: int
    sum_ms: int
    buckets: Sequence[tuple[int, int]]
    """(bucket, count)."""

    @property
    def mean_seconds(self) -> float | None:
        """Exact."""
        return self.sum_ms / self.count / 1000 if self.count else None

    def share(self, share: float) -> float | None:
        """Seconds within which this share of them lies, to within 7 %."""
        found = percentile(self.buckets, share)
        return None if found is None else found / 1000


def together(found: Iterable[Durations]) -> Durations:
    """All of these as one."""
    counts: dict[int, int] = {}
    count = total = 0
    for each in found:
        count, total = count + each.count, total + each.sum_ms
        for bucket, number in each.buckets:
            counts[bucket] = counts.get(bucket, 0) + number
    return Durations(count, total, sorted(counts.items()))

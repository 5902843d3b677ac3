"""Durations in buckets: eight to an octave, so a percentile is off by at most a sixteenth. Integers only, so
that the same duration falls into the same bucket everywhere."""

from collections.abc import Sequence
from typing import Final

_BITS: Final = 3
_EXACT: Final = 1 << (_BITS + 1)
"""Shorter durations (in milliseconds) have a bucket each."""

COUNT: Final = -1
"""Stands in place of a bucket where something is only counted."""


def bucket_of(milliseconds: int) -> int:
    """The bucket of a duration of 0 or more."""
    if milliseconds < _EXACT:
        return milliseconds
    octave = milliseconds.bit_length() - _BITS - 1
    return (octave << _BITS) + (milliseconds >> octave)


def bounds(bucket: int) -> tuple[int, int]:
    """The shortest and the longest duration in a bucket."""
    if bucket < _EXACT:
        return bucket, bucket
    octave = (bucket >> _BITS) - 1
    lowest = (bucket - (octave << _BITS)) << octave
    return lowest, lowest + (1 << octave) - 1


def percentile(counts: Sequence[tuple[int, int]], share: float) -> int | None:
    """The duration below which `share` (0-1) of them lie, from (bucket, count); None without any."""
    total = sum(count for _, count in counts)
    if total <= 0:
        return None
    rank, passed = share * total, 0
    for bucket, count in sorted(counts):
        passed += count
        if passed >= rank and count:
            shortest, longest = bounds(bucket)
            return (shortest + longest) // 2
    return None

"""Places in an order that leave room for more: fractions between 0 and 1, their digits in base 62.

Compared byte by byte (`COLLATE "C"`), they sort as the fractions do; none ends in a zero digit, so that there is
always one more between any two.
"""

from typing import Final

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def between(low: str | None, high: str | None) -> str:
    """A rank after `low` and before `high`; None is the end of the order on that side."""
    if low is not None and high is not None and low >= high:
        raise ValueError(f"{low} is not before {high}")
    return _between(low or "", high)


def _between(low: str, high: str | None) -> str:
    if high is not None:
        shared = 0
        while (low[shared : shared + 1] or DIGITS[0]) == high[shared]:
            shared += 1
        if shared:
            return high[:shared] + _between(low[shared:], high[shared:])
    first = DIGITS.index(low[0]) if low else 0
    last = DIGITS.index(high[0]) if high else len(DIGITS)
    if last - first > 1:
        return DIGITS[(first + last) // 2]
    # The first digits are neighbours: the room is behind the lower one.
    if high is not None and len(high) > 1:
        return high[0]
    return DIGITS[first] + _between(low[1:], None)

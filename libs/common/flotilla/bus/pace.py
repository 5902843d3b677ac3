"""Whether it pays to wait for more: where much comes, a batch that fills a little longer is far cheaper an event."""

import math
import time
from typing import Final

MEMORY_SECONDS: Final = 1.0
"""How far back the rate is remembered."""
WORTH: Final = 4
"""Events that the longer wait must promise, by default."""


class Pace:
    """How long a batch may fill: `short`, or `long` while at least `worth` events come in that time."""

    def __init__(self, short: float, long: float, worth: int = WORTH) -> None:
        self._short = short
        self._long = max(short, long)
        self._worth = worth
        self._rate = 0.0
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        """As things stand."""
        return self._long if self._rate * self._long >= self._worth else self._short

    def took(self, events: int, now: float | None = None) -> None:
        """So many came since the last time."""
        now = time.monotonic() if now is None else now
        elapsed = max(now - self._since, 1e-4)
        weight = 1 - math.exp(-elapsed / MEMORY_SECONDS)
        self._rate += weight * (events / elapsed - self._rate)
        self._since = now

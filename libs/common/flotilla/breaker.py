"""A circuit breaker: what failed again and again is left alone for a moment, then tried again."""

import time
from dataclasses import dataclass
from typing import Final

OPENS_AFTER: Final = 5
"""Failures in a row."""
STAYS_OPEN_SECONDS: Final = 10.0


@dataclass
class Breaker:
    """Of one host. After its rest one failure is enough to open it again."""

    failures: int = 0
    rests_until: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it should not be asked now."""
        return self.failures >= OPENS_AFTER and time.monotonic() < self.rests_until

    def record(self, ok: bool) -> None:
        """What came of asking it."""
        self.failures = 0 if ok else self.failures + 1
        if self.failures >= OPENS_AFTER:
            self.rests_until = time.monotonic() + STAYS_OPEN_SECONDS

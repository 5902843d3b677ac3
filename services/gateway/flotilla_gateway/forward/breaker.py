"""A circuit breaker: a service that fails again and again is left alone for a while, then tried by one request."""

import random
from collections.abc import Callable
from typing import Final

THRESHOLD: Final = 5
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0


class Breaker:
    """Counts failures in a row. Closed lets everything through, open nothing, half-open one request."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: a monotonic clock in seconds."""
        self._now = now
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._open_until = 0.0
        self._probing = False
        self.is_closed = True
        """All goes well, and nobody needs to ask `wait`."""

    def left(self) -> float:
        """Seconds until a request may be tried; 0: now. It may be asked, and nothing tried."""
        if self.is_closed:
            return 0.0
        left = self._open_until - self._now()
        return left if left > 0 else self._pause if self._probing else 0.0

    def wait(self) -> float:
        """The same, of a request that is tried now. The first one let through afterwards is the probe."""
        left = self.left()
        self._probing = self._probing or not (left or self.is_closed)
        return left

    def succeeded(self) -> None:
        """It answered, whatever it said."""
        self.is_closed = True
        self._failures = 0
        self._probing = False
        self._pause = FIRST_PAUSE_SECONDS

    def undecided(self) -> None:
        """The request ended before it could tell (the caller went away): the next may be the probe."""
        self._probing = False

    def failed(self) -> None:
        """It could not be reached, broke off or took too long."""
        self._failures += 1
        if self._failures < THRESHOLD:
            return
        self.is_closed = False
        if self._probing or self._failures == THRESHOLD:
            self._open_until = self._now() + self._pause * random.uniform(0.8, 1.2)
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        self._probing = False

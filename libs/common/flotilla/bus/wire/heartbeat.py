"""Heartbeats both ways (section 4.2.7): a half-open connection is noticed within two of them."""

import asyncio
from collections.abc import Callable
from typing import Final

SECONDS: Final = 10
"""What we ask of the broker: it, and we, say something at least this often."""
SILENT_TURNS: Final = 3
"""Turns of half a heartbeat without a byte: 15 to 20 seconds."""


class Heartbeat:
    """Ticks twice a heartbeat. Turns are counted, not seconds: a process that was held up blames nobody."""

    def __init__(self, seconds: float, beat: Callable[[], None], silent: Callable[[], None]) -> None:
        self._pause = seconds / 2
        self._beat = beat
        self._silent = silent
        self._turns = 0
        self._loop = asyncio.get_running_loop()
        self.heard = True
        """Set at every byte that comes."""
        self._timer = self._loop.call_later(self._pause, self._tick)

    def stop(self) -> None:
        """No more of it."""
        self._timer.cancel()

    def _tick(self) -> None:
        self._turns = 0 if self.heard else self._turns + 1
        self.heard = False
        if self._turns >= SILENT_TURNS:
            self._silent()
            return
        self._beat()
        self._timer = self._loop.call_later(self._pause, self._tick)

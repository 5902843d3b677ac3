"""Places where a process may die. Tests arm one to see that nothing is lost; nothing else can.

`committed`: a transaction has committed, its events are not published. `published`: the broker confirmed,
the outbox rows still stand. `handled`: a batch is committed, not acknowledged.
"""

import os
import signal
from typing import Literal

Point = Literal["committed", "published", "handled"]

_armed: Point | None = None


def arm(point: Point) -> None:
    """Die by SIGKILL when `point` is next reached; called by flotilla.testing.child only."""
    global _armed  # one process, one death
    _armed = point


def reach(point: Point) -> None:
    """Pass, unless this is the place to die."""
    if _armed == point:
        os.kill(os.getpid(), signal.SIGKILL)

"""Places where a process may die. Tests arm one to see that nothing is lost; nothing else can.

In the order in which an event passes them:

`committed`: a transaction has committed, its events are not published.
`published`: the broker confirmed, the outbox rows still stand.
`prepared`: a handler's `prepare` has run, its transaction has not begun.
`handling`: a handler has written, others of the same batch have not, nothing is committed.
`stepping`: a saga has taken a step, nothing is committed.
`handled`: a batch is committed, not acknowledged.
`performed`: a job's outside call was answered, nothing of it is written.
`ringing`: timers have fired, nothing is committed.
`sealing`: the archive has sealed a block, nothing is committed.
"""

import os
import signal
from typing import Literal

Point = Literal[
    "committed",
    "published",
    "prepared",
    "handling",
    "stepping",
    "handled",
    "performed",
    "ringing",
    "sealing",
]

_armed: Point | None = None
_passes = 0


def arm(point: Point, passes: int = 0) -> None:
    """Die by SIGKILL when `point` is reached after so many passes; called by flotilla.testing.child only."""
    global _armed, _passes  # one process, one death
    _armed, _passes = point, passes


def reach(point: Point) -> None:
    """Pass, unless this is the place to die."""
    global _passes
    if _armed != point:
        return
    if _passes == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    _passes -= 1

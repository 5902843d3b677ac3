"""Giving way: a service that nobody waits for takes of a full machine what the others leave.

What is on the way from a customer to a screen must not be late because a report is made, or a draft that nobody has
looked at yet: where the processors are full, that lags and catches up.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

OWN: Final = Path("/proc/self")


def give_way(niceness: int) -> None:
    """Let this process, with all its threads, be as nice as this (0 to 19); never less nice than it was started.

    Linux shares the processors first between sessions (sched_autogroup(7)) and only then by niceness: the session is
    made as nice, where it is this process's own, as everything that a fleet starts has.
    """
    for thread in _threads():
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, thread, max(os.getpriority(os.PRIO_PROCESS, thread), niceness))
    if os.getsid(0) == os.getpid():
        # There is no such file in a kernel without autogroups, nor beyond Linux.
        with suppress(OSError):
            (OWN / "autogroup").write_text(str(niceness))


def _threads() -> list[int]:
    try:
        return [int(each.name) for each in (OWN / "task").iterdir()]
    except OSError:
        return [0]

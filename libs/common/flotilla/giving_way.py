"""Giving way: a service that nobody waits for takes of a full machine what the others leave.

What is on the way from a customer to a screen must not be late because a report is made, or a draft that nobody has
looked at yet: where the processors are full, that lags and catches up.
"""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

PROCESSES: Final = Path("/proc")
AGAIN_SECONDS: Final = 0.15
TRIES: Final = 100


def give_way(niceness: int, process: int | None = None) -> None:
    """Let this process or another, with all the threads it has, be as nice as this (0 to 19); never less nice than
    it was started.

    Linux shares the processors first between sessions (sched_autogroup(7)) and only then by niceness: the session is
    made as nice, where it is the process's own, as everything that a fleet starts has; at once or a little later.
    """
    process = process or os.getpid()
    for thread in _threads(process):
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, thread, max(os.getpriority(os.PRIO_PROCESS, thread), niceness))
    if os.getsid(process) == process and not _session_gives_way(process, niceness):
        told = threading.Thread(
            target=_until_it_does, args=(process, niceness), name="giving way", daemon=True
        )
        told.start()


def _session_gives_way(process: int, niceness: int) -> bool:
    """Tell the kernel: False where it has to be told again.

    From whoever may not administer the machine it takes one of these in 100 ms, on all of it (EAGAIN), and a fleet's
    services begin together.
    """
    try:
        group = os.open(PROCESSES / str(process) / "autogroup", os.O_WRONLY)
        try:
            os.write(group, str(niceness).encode())
        finally:
            os.close(group)
    except BlockingIOError:
        return False
    except OSError:
        # There is no such file in a kernel without autogroups, nor beyond Linux, and some may not write to it.
        return True
    return True


def _until_it_does(process: int, niceness: int) -> None:
    """Whoever is taken needs no more: one by one they all are."""
    for _ in range(TRIES):
        time.sleep(AGAIN_SECONDS)
        if _session_gives_way(process, niceness):
            return


def _threads(process: int) -> list[int]:
    try:
        return [int(each.name) for each in (PROCESSES / str(process) / "task").iterdir()]
    except OSError:
        return [process]

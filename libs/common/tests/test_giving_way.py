"""Giving way, by real processes: a process never gets its niceness back, so that each test has one of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flotilla.giving_way import PROCESSES, give_way

SAYS = """
import os, sys, threading, time
from pathlib import Path
from flotilla.giving_way import give_way

def session():
    return Path("/proc/self/autogroup").read_text().split()[-1]

def may_be_told():
    # To stay as it is; where the kernel takes one in a while only, the next one has to be told again.
    try:
        os.write(os.open("/proc/self/autogroup", os.O_WRONLY), b"0")
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True

started, niceness, wanted = sys.argv[1:]
os.nice(int(started))
threading.Thread(target=threading.Event().wait, daemon=True).start()
waits = bool(wanted) and may_be_told()
give_way(int(niceness))
until = time.monotonic() + 20
while waits and session() != wanted and time.monotonic() < until:
    time.sleep(0.02)
print(*{os.getpriority(os.PRIO_PROCESS, int(each)) for each in os.listdir("/proc/self/task")})
print(session() if waits else "nothing")
"""

pytestmark = pytest.mark.skipif(
    not (PROCESSES / "self").exists(), reason="only Linux says how nice each thread is"
)


def said(started: int, niceness: int, *, session: str = "") -> tuple[str, str]:
    """How nice all threads of a process are, and its session: `nothing` where nobody may say how nice that is.

    With `session`, it has one of its own, which is to become as nice as that.
    """
    command = [sys.executable, "-c", SAYS, str(started), str(niceness), session]
    done = subprocess.run(
        command, start_new_session=bool(session), stdout=subprocess.PIPE, text=True, check=True
    )
    threads, group = done.stdout.splitlines()
    return threads, group


def test_a_process_of_a_session_of_its_own_gives_way_with_its_session() -> None:
    already = os.getpriority(os.PRIO_PROCESS, 0)
    threads, group = said(0, 19, session="19")
    assert threads == "19"
    assert group in ("19", "nothing")
    assert said(0, 0, session="0")[0] == str(already)


def test_what_shares_a_session_does_not_change_it() -> None:
    group = Path("/proc/self/autogroup")
    before = group.read_text() if group.exists() else ""
    assert said(0, 19)[0] == "19"
    assert (group.read_text() if group.exists() else "") == before


def test_what_was_started_nicer_stays_so() -> None:
    assert said(19, 5, session="5")[0] == "19"


def test_another_process_is_made_to_give_way() -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        give_way(19, other.pid)
        assert os.getpriority(os.PRIO_PROCESS, other.pid) == 19
        assert os.getpriority(os.PRIO_PROCESS, 0) < 19
    finally:
        other.communicate(b"\n")

"""Giving way, by real processes: a process never gets its niceness back, so that each test has one of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flotilla.giving_way import OWN

SAYS = """
import os, sys, threading
from pathlib import Path
from flotilla.giving_way import give_way
os.nice(int(sys.argv[1]))
threading.Thread(target=threading.Event().wait, daemon=True).start()
give_way(int(sys.argv[2]))
print(*{os.getpriority(os.PRIO_PROCESS, int(each)) for each in os.listdir("/proc/self/task")})
group = Path("/proc/self/autogroup")
print((group.read_text().split() if group.exists() else [])[-1:])
"""

pytestmark = pytest.mark.skipif(not OWN.exists(), reason="only Linux says how nice each thread is")


def said(started: int, niceness: int, *, own_session: bool) -> tuple[str, str]:
    """How nice all threads of a process are, and its session: the kernel says nothing of the session it began with."""
    command = [sys.executable, "-c", SAYS, str(started), str(niceness)]
    done = subprocess.run(
        command, start_new_session=own_session, stdout=subprocess.PIPE, text=True, check=True
    )
    threads, group = done.stdout.splitlines()
    return threads, group


def test_a_process_of_a_session_of_its_own_gives_way_with_its_session() -> None:
    already = os.getpriority(os.PRIO_PROCESS, 0)
    threads, group = said(0, 19, own_session=True)
    assert threads == "19"
    assert group in ("['19']", "[]")
    assert said(0, 0, own_session=True)[0] == str(already)


def test_what_shares_a_session_does_not_change_it() -> None:
    group = Path("/proc/self/autogroup")
    before = group.read_text() if group.exists() else ""
    assert said(0, 19, own_session=False)[0] == "19"
    assert (group.read_text() if group.exists() else "") == before


def test_what_was_started_nicer_stays_so() -> None:
    assert said(19, 5, own_session=True)[0] == "19"

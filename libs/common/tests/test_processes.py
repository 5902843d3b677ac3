"""Processes found again by their records: real children, killed and stopped for real."""

import json
import os
import select
import signal
import sys
from pathlib import Path

import pytest
from flotilla.processes import NotReadyError, ProcessDiedError, Processes, memory

FOREVER = [sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True)\n"
    "while True: signal.pause()",
]


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    return Processes(tmp_path / "run", tmp_path / "logs")


async def says_ready(processes: Processes, name: str) -> None:
    async def probe() -> bool:
        return "ready" in processes.tail(name)

    await processes.wait_ready(name, probe, 10)


async def test_another_command_finds_and_stops_what_one_started(processes: Processes, tmp_path: Path) -> None:
    started = processes.start("it", FOREVER, os.environ)
    await says_ready(processes, "it")
    later = Processes(tmp_path / "run", tmp_path / "logs")
    assert later.record("it") == started
    assert memory(started.pid) > 1_000_000
    assert await later.stop("it")
    assert not processes.alive("it")
    assert not await later.stop("it")


async def test_starting_what_runs_changes_nothing(processes: Processes) -> None:
    first = processes.start("it", FOREVER, os.environ)
    assert processes.start("it", FOREVER, os.environ) == first
    await processes.stop("it")


async def test_a_killed_process_is_not_alive_and_starts_again(processes: Processes) -> None:
    first = processes.start("it", FOREVER, os.environ)
    watched = os.pidfd_open(first.pid)
    os.kill(first.pid, signal.SIGKILL)
    assert ended(watched)
    assert not processes.alive("it")
    second = processes.start("it", FOREVER, os.environ)
    assert second.pid != first.pid
    await processes.stop("it")


async def test_a_number_that_now_belongs_to_another_is_left_alone(
    processes: Processes, tmp_path: Path
) -> None:
    ours = processes.start("it", FOREVER, os.environ)
    path = tmp_path / "run" / "it.pid"
    kept = json.loads(path.read_text())
    for change in ({"started": ours.started - 1}, {"boot": "an earlier one"}):
        path.write_text(json.dumps(kept | change))
        assert not await Processes(tmp_path / "run", tmp_path / "logs").stop("it")
        os.kill(ours.pid, 0)  # still there
    path.write_text(json.dumps(kept))
    await processes.stop("it")


@pytest.mark.parametrize("content", ["", "17", "{}", '{"pid": 1}', "not json"])
async def test_a_torn_record_is_no_record(processes: Processes, tmp_path: Path, content: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "it.pid").write_text(content)
    assert not processes.alive("it")
    assert not await processes.stop("it")


async def test_one_that_will_not_end_is_killed_after_its_grace(processes: Processes) -> None:
    processes.start("it", STUBBORN, os.environ)
    await says_ready(processes, "it")
    assert await processes.stop("it", grace=0.2)
    assert not processes.alive("it")


async def test_a_death_at_the_start_brings_the_end_of_the_log(processes: Processes) -> None:
    processes.start("it", [sys.executable, "-c", "raise SystemExit('no such port')"], os.environ)
    with pytest.raises(ProcessDiedError) as died:
        await processes.wait_ready("it", never, 10)
    assert "no such port" in died.value.tail


async def test_one_that_never_answers_is_reported_with_its_log(processes: Processes) -> None:
    processes.start("it", FOREVER, os.environ)
    await says_ready(processes, "it")
    with pytest.raises(NotReadyError, match="it was not ready") as late:
        await processes.wait_ready("it", never, 0.1)
    assert "ready" in late.value.tail
    await processes.stop("it")


async def test_kill_takes_what_the_process_started_with_it(processes: Processes) -> None:
    parent = (
        "import subprocess, sys; print('ready', subprocess.Popen(['sleep', '60']).pid, flush=True); input()"
    )
    processes.start(
        "it",
        [sys.executable, "-c", f"import signal; {parent.replace('input()', 'signal.pause()')}"],
        os.environ,
    )
    await says_ready(processes, "it")
    watched = os.pidfd_open(int(processes.tail("it").split()[1]))
    processes.kill("it")
    assert ended(watched)
    await processes.stop("it")


async def never() -> bool:
    return False


def ended(watched: int) -> bool:
    """Whether the process of this descriptor ends, within ten seconds; closes it."""
    try:
        return bool(select.select([watched], [], [], 10)[0])
    finally:
        os.close(watched)

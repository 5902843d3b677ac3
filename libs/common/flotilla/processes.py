"""Processes that outlive the command that started them: servers and services, each found again by its record.

A record is a file `<run>/<name>.pid` that holds the process id together with the moment the kernel started it
and the boot it belongs to. A bare number is not enough: after a reboot or a `kill -9` the same number may
belong to somebody else's program, which must be neither signalled nor taken for ours.
"""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

KILL_SECONDS: Final = 5.0
"""A killed process dies within milliseconds; one that waits for a disk may take longer."""
POLL_SECONDS: Final = 0.05
LOG_LIMIT: Final = 64 * 1024 * 1024
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Record:
    """Which process a name stands for; `started` in clock ticks since the boot."""

    pid: int
    started: int
    boot: str

    @property
    def alive(self) -> bool:
        return self.boot == boot_id() and _started(self.pid) == self.started


class ProcessDiedError(RuntimeError):
    """A process ended before it was ready; `tail` is the end of its log."""

    def __init__(self, name: str, tail: str) -> None:
        super().__init__(f"{name} ended while it was starting")
        self.name = name
        self.tail = tail


class NotReadyError(RuntimeError):
    """A process is alive but did not become ready in time; `tail` is the end of its log."""

    def __init__(self, name: str, seconds: float, tail: str) -> None:
        super().__init__(f"{name} was not ready after {seconds:.0f} s")
        self.name = name
        self.tail = tail


class Processes:
    """The named processes of one folder: records in `run`, output appended to `logs/<name>.log`."""

    def __init__(self, run: Path, logs: Path) -> None:
        self._run = run
        self._logs = logs
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        env: Mapping[str, str],
        *,
        user: str | None = None,
        cwd: Path | None = None,
    ) -> Record:
        """Starts it in a session of its own; one that is alive already is left as it is."""
        if (running := self.record(name)) is not None:
            return running
        self._run.mkdir(parents=True, exist_ok=True)
        log = self._open_log(name)
        try:
            child = subprocess.Popen(  # noqa: S603 - the callers pass fixed commands
                [str(part) for part in command],
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )
        finally:
            os.close(log)
        self._children[name] = child
        record = Record(child.pid, _started(child.pid) or 0, boot_id())
        path = self._path(name)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(record)))
        draft.replace(path)
        return record

    def record(self, name: str) -> Record | None:
        """The process of that name if it is alive."""
        if (child := self._children.get(name)) is not None:
            child.poll()  # reaps it, if it was ours and has ended
        try:
            record = Record(**json.loads(self._path(name).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return record if record.alive else None

    def alive(self, name: str) -> bool:
        return self.record(name) is not None

    def since(self, name: str) -> datetime | None:
        """When it was started; nothing where it doesn't run."""
        if self.record(name) is None:
            return None
        return datetime.fromtimestamp(self._path(name).stat().st_mtime, UTC)

    async def stop(self, name: str, grace: float = 20.0, request: signal.Signals = signal.SIGTERM) -> bool:
        """Asks it to end, and after `grace` seconds makes it; false if it wasn't running."""
        record = self.record(name)
        if record is not None:
            with suppress(ProcessLookupError):
                os.kill(record.pid, request)
            if not await self._gone(name, grace):
                self.kill(name)
                await self._gone(name, grace)
        self._path(name).unlink(missing_ok=True)
        return record is not None

    def tell(self, name: str, what: signal.Signals) -> bool:
        """A signal to it; false if it isn't running."""
        if (record := self.record(name)) is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(record.pid, what)
        return True

    def kill(self, name: str) -> None:
        """SIGKILL to it and to what it started, as a crash would; returns when it is dead. The record stays."""
        if (record := self.record(name)) is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(record.pid, signal.SIGKILL)
        deadline = time.monotonic() + KILL_SECONDS
        while self.alive(name) and time.monotonic() < deadline:
            time.sleep(0.001)

    async def wait_ready(self, name: str, probe: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Returns when `probe` says yes; a process that dies or dawdles raises with the tail of its log."""
        deadline = time.monotonic() + seconds
        while True:
            if not self.alive(name):
                raise ProcessDiedError(name, self.tail(name))
            if await probe():
                return
            if time.monotonic() > deadline:
                raise NotReadyError(name, seconds, self.tail(name))
            await asyncio.sleep(POLL_SECONDS)

    def tail(self, name: str, lines: int = 25) -> str:
        """The last lines of its log."""
        try:
            with self.log(name).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 64 * 1024))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _open_log(self, name: str) -> int:
        self._logs.mkdir(parents=True, exist_ok=True)
        path = self.log(name)
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)

    async def _gone(self, name: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.alive(name):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    def _path(self, name: str) -> Path:
        return self._run / f"{name}.pid"


def boot_id() -> str:
    return _BOOT.read_text().strip()


def memory(pid: int) -> int:
    """Bytes that a process and all it started keep in memory, shared pages counted once."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None:
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    family, total = [pid], 0
    while family:
        member = family.pop()
        family.extend(parents.get(member, ()))
        total += _proportional_bytes(member)
    return total


def _proportional_bytes(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))


def _started(pid: int) -> int | None:
    """The moment the kernel started it (proc(5), field 22); nothing for one that ended, a zombie included.

    One whose first thread has ended is there as long as another of its threads is: they hold its ports and files.
    """
    fields = _stat(pid)
    ended = fields is None or (fields[0] in ("Z", "X") and _threads(pid) <= 1)
    return None if ended or fields is None else int(fields[19])


def _threads(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return 0


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the command, which may hold spaces and brackets: state first."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None

"""Log files read as lines that can be filtered, merged by time and followed; no printing here."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from flotilla.security.addresses import Pseudonyms
from flotilla.security.sealing import Keyring

_HEAD: Final = ("ts", "level", "service", "event")
_TAIL_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: its fields where it is JSON as services write it, else only its text."""

    source: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, source: str, text: str) -> "LogLine":
        try:
            fields = json.loads(text) if text.startswith("{") else {}
        except ValueError:
            fields = {}
        return cls(source, text, fields)

    @property
    def time(self) -> str:
        return str(self.fields.get("ts", ""))

    @property
    def rest(self) -> dict[str, Any]:
        """What is particular to this line."""
        return {name: value for name, value in self.fields.items() if name not in _HEAD}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are wanted; a line without a named field is not."""

    org: str | None = None
    correlation: str | None = None
    level: str | None = None
    actor: str | None = None
    route: str | None = None
    status: str | None = None
    """As `404`, or `4xx` for all of its hundred."""
    request: str | None = None
    caller: "CallerOf | None" = None
    since: datetime | None = None

    def takes(self, line: LogLine) -> bool:
        wanted = {
            "org": self.org,
            "correlation_id": self.correlation,
            "level": self.level,
            "actor": self.actor,
            "route": self.route,
            "request_id": self.request,
        }
        said = line.fields.get
        return (
            (self.since is None or line.time >= self.since.isoformat())
            and all(value is None or str(said(name)) == value for name, value in wanted.items())
            and (self.status is None or _is_status(str(said("status")), self.status))
            and (self.caller is None or said("caller") in self.caller.on(line.time[:10]))
        )


class CallerOf:
    """What the request log calls an address, which is another name each day."""

    def __init__(self, keyring: Keyring, bucket: str) -> None:
        self._keyring = keyring
        self._bucket = bucket
        self._names: dict[str, frozenset[str]] = {}

    def on(self, day: str) -> frozenset[str]:
        """On a day, as `2026-01-31`, one for each derivation key; none where it is no day."""
        if day not in self._names:
            try:
                self._names[day] = Pseudonyms(self._keyring, date.fromisoformat(day)).all(self._bucket)
            except ValueError:
                return frozenset()
        return self._names[day]


def _is_status(status: str, wanted: str) -> bool:
    return status == wanted or (wanted.endswith("xx") and status[:1] == wanted[:1] and len(status) == 3)


class LogFile:
    """A file that grows, and may be replaced by a new one, while it is read."""

    def __init__(self, source: str, path: Path) -> None:
        self.source = source
        self._path = path
        self._offset = 0
        self._partial = b""

    def new_lines(self) -> Iterator[LogLine]:
        """Complete lines that were not read before."""
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return
        if size < self._offset:
            self._offset, self._partial = 0, b""
        if self._offset == 0:
            self._offset = max(0, size - _TAIL_BYTES)
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for raw in file:
                self._offset += len(raw)
                whole = self._partial + raw
                self._partial = b"" if whole.endswith(b"\n") else whole
                if not self._partial:
                    yield LogLine.parse(self.source, whole.decode(errors="replace").rstrip())


def latest(files: list[LogFile], wanted: Wanted, count: int) -> list[LogLine]:
    """The last `count` wanted lines of all files together, oldest first."""
    kept = [deque((line for line in file.new_lines() if wanted.takes(line)), maxlen=count) for file in files]
    # A line without a time (a traceback, a server's own format) stays behind the line it follows.
    timed = []
    for lines in kept:
        time = ""
        for line in lines:
            time = line.time or time
            timed.append((time, line))
    timed.sort(key=lambda pair: pair[0])
    return [line for _, line in timed[-count:]]

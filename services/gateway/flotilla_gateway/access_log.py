"""One line a request: who, which route, how it ended, how long it took. Never a token, a query or a body.

Lines are JSON like every other log line, but written in batches: formatting and writing them one by one would
cost as much as forwarding. At most a tenth of a second of lines is lost where the process is killed.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

FLUSH_SECONDS: Final = 0.1
FLUSH_LINES: Final = 500


class AccessLine(msgspec.Struct, gc=False):
    """A request that has ended."""

    ts: str
    request_id: str
    method: str
    route: str
    """The template, or `-` for a path that is none: ids and secrets in paths stay out."""
    status: int
    ms: float
    sent: int
    network: str
    """The /24 of the caller's address, or its /48: the address itself says something of a person."""
    caller: str
    """What the address is called today (`flotilla.security.addresses`)."""
    upstream: str
    """The service it was for."""
    actor: str | UnsetType = UNSET
    org: str | UnsetType = UNSET
    trace_id: str | UnsetType = UNSET
    level: str = "info"
    event: str = "request"
    service: str = "gateway"


def _write_to_stdout(lines: bytes) -> None:
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()


class AccessLog:
    """Collects lines and writes them together."""

    def __init__(self, write: Callable[[bytes], object] = _write_to_stdout) -> None:
        self._write = write
        self._lines: list[AccessLine] = []
        self._encoder = msgspec.json.Encoder()
        self._flush_due: asyncio.TimerHandle | None = None

    def add(self, line: AccessLine) -> None:
        """Soon written."""
        self._lines.append(line)
        if len(self._lines) >= FLUSH_LINES:
            self.flush()
        elif self._flush_due is None:
            self._flush_due = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what there is."""
        if self._flush_due is not None:
            self._flush_due.cancel()
            self._flush_due = None
        if self._lines:
            lines, self._lines = self._lines, []
            self._write(self._encoder.encode_lines(lines))


def timestamp() -> str:
    """Now, as log lines have it."""
    return _until_millisecond(time.time_ns() // 1_000_000)


@lru_cache(maxsize=2)
def _until_millisecond(now: int) -> str:
    second, rest = divmod(now, 1000)
    return f"{_until_second(second)}.{rest:03d}Z"


@lru_cache(maxsize=2)
def _until_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")

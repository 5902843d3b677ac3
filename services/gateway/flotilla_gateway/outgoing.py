"""What is written within a turn of the loop goes out at the turn's end, all connections' together.

uvloop writes at once. Between two writes this process then works some 20 µs for the next request, in which whoever was
written to (a service, Redis, a client on the same machine) has done its part and sleeps again: each write wakes
somebody, which costs several times what the write does. Written one behind the other they find their readers awake:
half the system time a request (`bench/gateway.py`). What one connection is written in a turn is one write, too.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog

log = structlog.get_logger()

LARGE: Final = 16 * 1024
"""Bytes that are written at once: what is held back stays little, and flow control hears of what is much."""

Data = bytes | bytearray | memoryview


class Outgoing:
    """What waits for the end of the turn."""

    __slots__ = ("_due", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._due: dict[asyncio.Transport, list[Data]] = {}

    def add(self, transport: asyncio.Transport, data: Data) -> None:
        """Write it soon, behind what waits for this transport already."""
        due = self._due
        parts = due.get(transport)
        if parts is not None:
            parts.append(data)
            return
        if not due:
            self._loop.call_soon(self._flush)
        due[transport] = [data]

    def take(self, transport: asyncio.Transport) -> list[Data]:
        """What waits for it, which from now on is the caller's to write."""
        return self._due.pop(transport, [])

    def _flush(self) -> None:
        due, self._due = self._due, {}
        for transport, parts in due.items():
            if transport.is_closing():
                continue
            try:
                transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
            except Exception as error:  # One's trouble does not keep the others from what is theirs.
                log.error("outgoing.failed", exc_info=error)
                transport.abort()


class _Ended(Outgoing):
    """Takes the place of what waits once nothing more may be written: whoever tries hears of it, as from the real
    transport, and not the end of the turn, which could only cut the connection."""

    __slots__ = ()

    def __init__(self) -> None:
        """Of all connections."""

    def add(self, transport: asyncio.Transport, data: Data) -> None:
        """Is a mistake."""
        raise RuntimeError("Cannot call write() after write_eof()")

    def take(self, transport: asyncio.Transport) -> list[Data]:
        """There is nothing."""
        return []


_ENDED: Final = _Ended()


class GatheredTransport(asyncio.Transport):
    """A transport that writes so. Whatever else it is told, what was written before is written first."""

    __slots__ = ("_outgoing", "_real", "is_closing")
    is_closing: Callable[[], bool]
    """The real one's own: each request asks several times."""

    def __init__(self, real: asyncio.Transport, outgoing: Outgoing) -> None:
        self._real = real
        self._outgoing = outgoing
        self.is_closing = real.is_closing

    def write(self, data: Data) -> None:
        """By the end of the turn."""
        if len(data) < LARGE:
            self._outgoing.add(self._real, data)
        elif before := self._outgoing.take(self._real):
            self._real.writelines([*before, data])
        else:
            self._real.write(data)

    def plain(self) -> asyncio.Transport:
        """The transport itself, for whoever writes at once."""
        self.flush()
        return self._real

    def close(self) -> None:
        """Once all is written."""
        self.flush()
        self._real.close()

    def abort(self) -> None:
        """At once; what was written goes as far as the system takes it."""
        self.flush()
        self._real.abort()

    def write_eof(self) -> None:
        """Nothing more is written."""
        self.flush()
        self._outgoing = _ENDED
        self._real.write_eof()

    def flush(self) -> None:
        """Write now what waits for the end of the turn."""
        if (before := self._outgoing.take(self._real)) and not self._real.is_closing():
            self._real.writelines(before)

    # As it is

    def can_write_eof(self) -> bool:
        """Whether it can be closed in one direction."""
        return self._real.can_write_eof()

    def pause_reading(self) -> None:
        """Take nothing more for now."""
        self._real.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        self._real.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Bytes that the system has not taken."""
        return self._real.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When writing is paused, and when it goes on."""
        self._real.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        return self._real.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who hears of it from now on."""
        self._real.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who hears of it."""
        return self._real.get_protocol()

"""Many people who only look on: a process of its own that holds their sockets.

    python -m bench.fleet.crowd < crowd.json

Reads a `Crowd` as one line, opens a socket for each of its people and says how long that took, in seconds; from then on
it says at each further line what it saw since the last, a `Sight` as JSON, and goes when its input ends.
"""

import asyncio
import sys
import time
from urllib.parse import urlsplit

import msgspec
import uvloop
from flotilla.open_files import allow_all_files

from bench.fleet.outcome import percentile
from bench.fleet.wire import EVENT, Socket

OPENED_AT_ONCE = 64
STAMP = b'"name":"@'
"""Before the moment (`time.monotonic`) at which an event was published."""


class Crowd(msgspec.Struct):
    """Who connects: person after person to the next of the addresses."""

    addresses: list[str]
    bearers: list[str]


class Sight(msgspec.Struct):
    """What they saw."""

    events: int
    closed: int
    """Sockets that are not open any more."""
    resynced: int
    p50_ms: float
    """From the publishing to the socket."""
    p99_ms: float


class Onlookers:
    """Their sockets."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._sockets: list[Socket] = []
        self._took: list[float] = []

    async def open(self) -> float:
        """All of them: the seconds it took."""
        began = time.monotonic()
        gate = asyncio.Semaphore(OPENED_AT_ONCE)

        async def connect(number: int, bearer: str) -> None:
            place = urlsplit(self._crowd.addresses[number % len(self._crowd.addresses)])
            headers = f"Authorization: Bearer {bearer}\r\nSec-WebSocket-Protocol: flotilla.v1\r\n"
            async with gate:
                host, port = str(place.hostname), int(place.port or 80)
                self._sockets.append(await Socket.connect(host, port, "/v1/live", headers, self._heard))

        await asyncio.gather(*(connect(*each) for each in enumerate(self._crowd.bearers)))
        return time.monotonic() - began

    def seen(self) -> Sight:
        """Since it was asked last."""
        took, self._took = self._took, []
        return Sight(
            events=len(took),
            closed=sum(socket.is_closed for socket in self._sockets),
            resynced=sum(socket.resyncs for socket in self._sockets),
            p50_ms=percentile(took, 50) * 1000,
            p99_ms=percentile(took, 99) * 1000,
        )

    def _heard(self, payload: bytes) -> None:
        if payload.startswith(EVENT) and (at := payload.find(STAMP)) > 0:
            start = at + len(STAMP)
            self._took.append(time.monotonic() - float(payload[start : payload.index(b'"', start)]))


async def main() -> None:
    """By standard input and output."""
    allow_all_files()
    onlookers = Onlookers(msgspec.json.decode(sys.stdin.readline(), type=Crowd))
    print(await onlookers.open(), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(msgspec.json.encode(onlookers.seen()).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(main())

"""The gateway's door alone, without sockets, Redis and a service: `python -m bench.edge.alone`.

The bytes of a request are given to the protocol of a caller's connection, and the bytes of an answer to that of the
connection to the service, in one process and on one turn of the loop: what is left is our own Python and the parsers.
CPU in µs a request, the best and the median of slices of a hundred requests. `--calls` lists what is called instead.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import tempfile
import time
from statistics import median
from typing import Any

import uvicorn
import uvloop
from flotilla.testing.ports import free_ports
from flotilla_gateway.door import Door
from flotilla_gateway.forward.connection import Connection
from flotilla_gateway.gateway import Gateway, opened
from flotilla_gateway.trust.keys import KeySet
from flotilla_gateway.trust.standing import Standing
from starlette.applications import Starlette
from uvicorn.server import ServerState

from bench.edge.door import settings

SLICE = 100
BODY = b"x" * 200
GET = (
    b"GET /v1/open/small HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nauthorization: Bearer "
    + b"x" * 400
    + b"\r\n\r\n"
)
POST = (
    b"POST /v1/open/small HTTP/1.1\r\ncontent-length: 200\r\nHost: 127.0.0.1:8000\r\n"
    b"content-type: application/json\r\nauthorization: Bearer " + b"x" * 400 + b"\r\n\r\n" + BODY
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 03:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: 103\r\nConnection: keep-alive\r\n\r\n" + b"x" * 103
)


class Pipe(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 40_000), "sockname": ("127.0.0.1", 8000)})
        self.written = b""

    def write(self, data: Any) -> None:
        """Kept until the next."""
        self.written = data

    def is_closing(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing to close."""

    abort = close

    def get_write_buffer_size(self) -> int:
        """All is taken at once."""
        return 0


class Alone:
    """A caller, the door and a service's connection, face to face."""

    def __init__(self, gateway: Gateway) -> None:
        state = ServerState()
        state.default_headers = [(b"date", b"Sun, 22 Nov 2026 03:00:00 GMT")]
        options = gateway.server_options()
        config = uvicorn.Config(Door(gateway, Starlette()), lifespan="off", log_config=None, **options)
        config.load()
        self.outside = Pipe()
        self.caller = options["http"](config, state, {})
        self.caller.connection_made(self.outside)
        upstream = gateway.upstreams["things"]
        self.inside = Pipe()
        self.service = Connection(asyncio.get_running_loop(), upstream._outgoing, upstream._lost)
        self.service.connection_made(self.inside)
        upstream._idle.append(self.service)
        self.outgoing = (upstream._outgoing, self.caller.shared.outgoing)

    def exchange(self, request: bytes, times: int) -> None:
        """So many requests, and their answers."""
        caller, service = self.caller, self.service
        for _ in range(times):
            caller.data_received(request)
            service.data_received(ANSWER)
            for each in self.outgoing:
                each._flush()

    def check(self, request: bytes) -> None:
        """One of them, looked at."""
        self.exchange(request, 1)
        assert self.inside.written.startswith(request[:20]), self.inside.written
        assert self.outside.written.startswith(b"HTTP/1.1 200"), self.outside.written


async def main(options: argparse.Namespace) -> None:
    """Measure, print."""
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        nobody, redis = free_ports(2)
        told = settings(argparse.Namespace(folder=folder, upstream=nobody, redis=redis))
        async with opened(told, Standing(KeySet())) as gateway:
            gateway.access_log._write = lambda lines: None
            alone = Alone(gateway)
            for name, request in (("GET small", GET), ("POST small", POST)):
                alone.check(request)
                if options.calls:
                    calls(alone, request)
                else:
                    best, middle = await measured(alone, request, options.slices)
                    print(f"{name:<11} best {best:5.1f} µs   median {middle:5.1f} µs")


async def measured(alone: Alone, request: bytes, slices: int) -> tuple[float, float]:
    """The best and the median slice."""
    spent = []
    for _ in range(slices):
        before = time.process_time_ns()
        alone.exchange(request, SLICE)
        spent.append((time.process_time_ns() - before) / SLICE / 1000)
        await asyncio.sleep(0)
    return min(spent), median(spent)


def calls(alone: Alone, request: bytes) -> None:
    """What is called, and how long it takes under the profiler."""
    profile = cProfile.Profile()
    profile.enable()
    alone.exchange(request, SLICE * 10)
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(60)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--calls", action="store_true")
    uvloop.run(main(parser.parse_args()))

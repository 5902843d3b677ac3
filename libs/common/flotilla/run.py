"""`python -m flotilla.run <service>`: one service, one process, until SIGTERM.

On SIGTERM it takes no more work, finishes what it has in hand within `grace_seconds`, and leaves the rest
on its queues. A process that stops because a part of it failed says so by its exit status.
"""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
import uvicorn
import uvloop

from flotilla.app import App
from flotilla.giving_way import give_way
from flotilla.http.application import serve
from flotilla.open_files import allow_all_files
from flotilla.process import opened, working
from flotilla.service import Service, load
from flotilla.telemetry import logs, traces

log = structlog.get_logger()

COLLECTED_AT: Final = (20_000, 20, 20)
LAST_CALL_SECONDS: Final = 0.5
"""How long kept connections may be used once more; whoever keeps several uses the latest first, again and again."""
LOOK_SECONDS: Final = 0.05


class Server(uvicorn.Server):
    """Uvicorn without its own signal handlers: the process stops as a whole. It leaves no request unanswered."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nobody new is let in, and whoever is there has a last call, which says that the connection ends.

        Closed at once, a kept connection would lose what its caller has just sent: a POST, which nobody may repeat.
        """
        for server in self.servers:
            server.close()
        state, loop = self.server_state, asyncio.get_running_loop()
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        end = loop.time() + LAST_CALL_SECONDS
        while state.connections and loop.time() < end:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(LOOK_SECONDS)
        await super().shutdown(sockets)


async def run(service: Service) -> None:
    """Run the service until it is told to stop."""
    settings = service.settings()
    logs.configure(service.name, settings.log_level)
    traces.configure(service.name, settings.traces_file)
    allow_all_files()
    if settings.give_way:
        give_way(service.niceness)
    try:
        async with opened(service, settings) as app:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, app.stopping.set)
            if app.tls is not None:
                loop.add_signal_handler(signal.SIGHUP, app.tls.changed.set)
            async with working(app):
                server = Server(config(app))
                serving = asyncio.create_task(server.serve())
                serving.add_done_callback(lambda _: app.stopping.set())
                spare_the_collector()
                log.info("service.started", port=settings.http_port)
                await app.stopping.wait()
                server.should_exit = True
                await serving
    finally:
        traces.flush()
    log.info("service.stopped")


def spare_the_collector() -> None:
    """What stands now stands for good, and what a batch makes is nearly always gone with it: the cyclic collector
    need not go through either so often. Its default is a look at every 700 objects more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AT)


def config(app: App) -> uvicorn.Config:
    """How every service is served: uvloop, httptools, no access log of its own, bounded in size and time."""
    options: dict[str, Any] = {
        "host": app.settings.http_host,
        "port": app.settings.http_port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "websockets-sansio",
        "ws_max_size": 1 << 16,
        "ws_ping_interval": None,
        "ws_per_message_deflate": False,
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": True,
        # Who called the gateway, and how, a service reads where it needs it; no address here is changed for it.
        "proxy_headers": False,
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": max(1, int(app.settings.grace_seconds) - 2),
        "backlog": 4096,
    }
    if app.tls is not None:
        context = app.tls.server(client_certificates=app.settings.tls_client_certificates)
        options["ssl_context_factory"] = lambda *_: context
    own = app.service.server(app) if app.service.server else {}
    return uvicorn.Config(serve(app), **(options | own))


def main() -> None:
    """The command line: the service's name."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m flotilla.run <service>")
    uvloop.run(run(load(sys.argv[1])))


if __name__ == "__main__":
    main()

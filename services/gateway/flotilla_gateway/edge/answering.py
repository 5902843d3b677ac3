"""A caller's connection as whoever answers its request sees it.

The forwarding path hears through it that the caller went away, so that nobody works for an answer that cannot be
delivered.
"""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from flotilla_gateway.edge.turn import Turn
from flotilla_gateway.forward.headers import Said
from flotilla_gateway.outgoing import GatheredTransport


class Answering(HttpToolsProtocol):
    """What `forward.passage.Client` says."""

    # uvicorn's own attributes are as many as Python keeps without a dictionary.
    __slots__ = ("_running", "_when_draining", "_when_gone", "said")
    transport: GatheredTransport

    def __init__(self, *uvicorns: Any) -> None:
        super().__init__(*uvicorns)
        self._running: Turn | None = None
        """The request in hand, or the last that was."""
        self.said = Said()
        self._when_gone: Callable[[], None] | None = None
        self._when_draining: Callable[[], None] | None = None

    @property
    def gone(self) -> bool:
        """The caller closed its connection."""
        return self.transport.is_closing()

    @property
    def keeps_up(self) -> bool:
        """The caller takes what it is sent."""
        return not self.flow.write_paused

    def watch(self, when_gone: Callable[[], None] | None) -> None:
        """Call this once the caller is gone; None: no longer."""
        self._when_gone = when_gone

    def end_when_draining(self, end: Callable[[], None] | None) -> None:
        """Call this when the process is told to stop: for streams, which have no end of their own."""
        self._when_draining = end

    def abort(self) -> None:
        """Close the connection: the only way to say that a response that has begun is not complete."""
        self._give_up()
        self.transport.close()

    def cut(self) -> None:
        """The same at once, whatever waits to be taken."""
        self.transport.abort()

    def respond(self, status: int, lines: bytes, body: bytes) -> None:
        """Write a whole response at once: `Turn.respond`."""
        if self._running is not None:
            self._running.respond(status, lines, body)

    @property
    def _is_answering(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _give_up(self) -> None:
        """Nothing the request in hand still sends can arrive."""
        if self._running is not None and self._is_answering:
            self._running.give_up()

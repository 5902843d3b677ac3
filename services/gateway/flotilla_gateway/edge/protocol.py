"""A caller's connection: uvicorn's HTTP protocol with limits on what a head may be and how long it may take."""

import asyncio
from collections import deque
from typing import Any, Final

import httptools
from flotilla.problems import BadRequestError, Problem, UnavailableError
from uvicorn.config import Config
from uvicorn.server import ServerState

from flotilla_gateway.edge.answering import Answering
from flotilla_gateway.edge.limits import Late, Patience, head_size, head_too_large
from flotilla_gateway.edge.shared import Shared
from flotilla_gateway.edge.target import announces_body, expects_continue, read_target
from flotilla_gateway.edge.turn import Turn
from flotilla_gateway.edge.wire import Handshake
from flotilla_gateway.forward.passage import Asgi
from flotilla_gateway.outgoing import GatheredTransport
from flotilla_gateway.problems import RequestTimeoutError

HIGH_WATER: Final = 64 * 1024
"""Of a body, what waits to be taken while more is read."""
VERSIONS: Final = ("1.1", "1.0")


class EdgeProtocol(Answering):
    """One caller's connection."""

    __slots__ = (
        "_discarded",
        "_express",
        "_head_begun",
        "_head_bytes",
        "_in_head",
        "_limits",
        "_linger_until",
        "_patience",
        "_refused",
        "_unstarted",
        "counted_as",
        "peer",
        "shared",
    )
    cycle: Turn | None  # type: ignore[assignment]
    pipeline: deque[tuple[Turn, Any]]  # type: ignore[assignment]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        shared: Shared,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.shared = shared
        self._limits = shared.limits
        self._express = shared.express
        self.peer = ""
        """The address at the other end; "" where it is none."""
        self.counted_as: str | None = None
        self._refused = False
        self._in_head = True
        self._head_begun = False
        self._head_bytes = 0
        self._patience = Patience(shared.limits, self.loop.time())
        self._discarded = 0
        self._linger_until = 0.0
        self._unstarted: Turn | None = None
        """In hand, until its body is here or nothing more comes for now."""

    # What uvicorn calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(GatheredTransport(transport, self.shared.outgoing))
        self.peer = self.client[0] if self.client else ""
        if not self.shared.come(self):
            self.refuse(UnavailableError("Too many connections.", headers={"retry-after": "1"}))

    def eof_received(self) -> None:
        # The transport closes next, and then takes nothing more: what this turn has answered already goes before.
        self.transport.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.shared.leave(self)
        self._give_up()
        if self._when_gone is not None:
            self._when_gone()
            self._when_gone = None

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.pipeline and not (self._is_answering or self._refused or self.gone):
            self._run_next()

    def shutdown(self) -> None:
        super().shutdown()
        if self._refused:
            self.transport.close()
        if self._when_draining is not None:
            self._when_draining()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._discard(len(data))
            return
        # Of a body too: what stands between its parts (sizes, extensions) and behind it (trailer fields) is a head.
        self._head_bytes += len(data)
        while data and not self._refused:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                if self._should_upgrade():
                    self._switch(data)
                    return
                # Another protocol than WebSocket was offered, and is declined by going on with this one.
            except httptools.HttpParserError:
                self.refuse(
                    BadRequestError("This is not a well-formed HTTP request."), current=not self._in_head
                )
        if self._head_bytes > self._limits.head_bytes and not self._refused:
            self.refuse(head_too_large(self._limits), current=not self._in_head)
        if self._unstarted is not None:
            self._start()
        if self._head_begun:
            self._patience.head_is_due(self.loop.time())
        elif not self._in_head:
            self._patience.body_is_due(self.loop.time())

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self._in_head = self._head_begun = True
        self._discarded = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._head_begun = False
        if self._refused:
            return
        self._patience.head_ends()
        counted, self._head_bytes = self._head_bytes, 0
        if len(self.headers) > self._limits.fields or (
            counted > self._limits.head_bytes and head_size(self.url, self.headers) > self._limits.head_bytes
        ):
            self.refuse(head_too_large(self._limits))
            return
        if upgrades := self.parser.should_upgrade():
            if announces_body(self.headers):
                self.refuse(BadRequestError("A request with a body cannot also ask for an upgrade."))
                return
            if self._should_upgrade():
                return
        self._begin_turn()
        self._in_head = False
        if not upgrades:
            self.headers = []  # What follows are trailer fields, which are not merged into the head.

    def _begin_turn(self) -> None:
        parser = self.parser
        version = parser.get_http_version()
        if version not in VERSIONS:
            self.refuse(BadRequestError("This speaks HTTP/1.1 and HTTP/1.0."))
            return
        headers = self.headers
        fields = dict(headers)
        path, query = read_target(self.url, headers, fields, version)
        earlier = self.cycle
        self.cycle = turn = Turn(
            self,
            parser.get_method().decode("ascii"),
            version,
            path,
            query,
            headers,
            fields,
            version != "1.0" and parser.should_keep_alive(),
            b"expect" in fields and expects_continue(headers),
        )
        if (earlier is None or earlier.response_complete) and not self.flow.write_paused:
            self._running = self._unstarted = turn
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((turn, self.app))

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        turn = self.cycle
        if self._refused or turn is None:
            return
        if turn.response_complete:
            self._discard(len(body))
        elif turn.add(body) > HIGH_WATER:
            self.flow.pause_reading()

    def _discard(self, size: int) -> None:
        """So much came that nobody waits for any more."""
        self._discarded += size
        if self._discarded > (self._limits.linger_bytes if self._refused else self._limits.discarded_bytes):
            self.transport.abort()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._patience.body_ends()
        switches = self.parser.should_upgrade() and self._should_upgrade()
        if not self._refused and self.cycle is not None and not switches:
            self.cycle.end_of_body()
            if self._unstarted is not None:
                self._start()

    def _start(self) -> None:
        """Begin to answer: the short way, where that can be."""
        turn, self._unstarted = self._unstarted, None
        assert turn is not None
        if self._express is None or turn.disconnected or not self._express.take(self, turn):
            self.run(turn, self.app)

    def on_response_complete(self) -> None:
        self._when_gone = self._when_draining = None
        if self.transport.is_closing():
            return
        if self._running is not None and self._running.is_last:
            self._refused = True
            self._linger()
        elif self.pipeline:  # Nothing more is read until those that came already are answered.
            # Who asks on and reads nothing waits until it does: else its answers were as many as it likes.
            if not self.flow.write_paused:
                self._run_next()
        else:
            if self.flow.read_paused:
                self.flow.resume_reading()
            self._patience.idles(self.loop.time())

    def _run_next(self) -> None:
        turn, app = self.pipeline.pop()
        self.run(turn, app)

    def _switch(self, early: bytes) -> None:
        """Hand the connection over to a tunnel; `early`: what came behind the handshake, which is not answered yet."""
        if early or self.pipeline or self._is_answering:
            self.abort()  # Nobody may switch protocols in the middle of an answer.
            return
        self.connections.discard(self)
        ended = self.shared.hand_over(self)
        method = self.parser.get_method().decode("ascii")
        handshake = Handshake(method, self.url, self.headers, self.peer, self.scheme or "http")
        self.shared.tunnels.open(self.transport.plain(), handshake, self.server_state, ended)

    def _should_upgrade_to_ws(self) -> bool:
        return True

    # Time

    def check_time(self, now: float) -> None:
        """End what takes too long; called about once a second."""
        if self._refused:
            if now > self._linger_until:
                self.transport.abort()
            return
        unsent = self.transport.get_write_buffer_size() if self.flow.write_paused else 0
        match self._patience.late(now, reading=not self.flow.read_paused, unsent=unsent):
            case Late.HEAD:
                self.refuse(RequestTimeoutError("The head of the request did not arrive in time."))
            case Late.BODY:
                problem = RequestTimeoutError("The body of the request did not arrive in time.")
                self.refuse(problem, current=True)
            case Late.READER:
                self.transport.abort()
            case Late.IDLE:
                self.transport.close()

    def refuse(self, problem: Problem, *, current: bool = False) -> None:
        """Answer with a problem outside the application, and close.

        `current`: it is about the request in hand; else about one whose head is not complete, and where an
        earlier one is still being answered the connection is only cut: two answers must not mix.
        """
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        begun = self._running is not None and self._running.response_started
        if self.pipeline or (self._is_answering and (not current or begun)):
            self.abort()
            return
        self._give_up()
        scheme = self.scheme or "http"
        self.transport.write(self.shared.refusals.answer(problem, self.peer, scheme, known=current))
        self._linger()

    def _linger(self) -> None:
        """Close once the caller has: cut off while it still sends, it would lose its answer (RFC 9112, 9.6)."""
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self._discarded = 0
        self._linger_until = self.loop.time() + self._limits.linger_seconds
        self.transport.write_eof()
        self.flow.resume_reading()

    def run(self, turn: Turn, app: Asgi) -> None:
        """Answer the long way."""
        self._running = turn
        task = self.loop.create_task(turn.run_asgi(app))  # type: ignore[arg-type]
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

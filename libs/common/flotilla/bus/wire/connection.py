"""One connection with one channel: its life from the handshake to a reason why it ended."""

import asyncio
import contextlib
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote

import structlog
from pamqp import base, commands, frame
from yarl import URL

from flotilla.bus.wire import heartbeat
from flotilla.bus.wire.errors import LostError, MalformedError, RefusedError, WireError
from flotilla.bus.wire.frames import CHANNEL, FRAME_MAX, HEARTBEAT_FRAME, PROTOCOL_HEADER
from flotilla.bus.wire.reader import Delivery, FrameReader
from flotilla.security.tls import trusting

log = structlog.get_logger()

OPEN_SECONDS: Final = 10
CLOSE_SECONDS: Final = 5
WRITE_BUFFER: Final = 1 << 20
"""Bytes not yet taken by the network at which writers are told to wait."""
PROPERTIES: Final[dict[str, Any]] = {
    "product": "flotilla",
    "capabilities": {
        "authentication_failure_close": True,
        "basic.nack": True,
        "connection.blocked": True,
        "consumer_cancel_notify": True,
        "publisher_confirms": True,
    },
}
CLOSED_BY_US: Final = 200

F = TypeVar("F", bound=base.Frame)


class WireConnection(asyncio.BufferedProtocol):
    """What publisher and consumer share; `error` says why it is of no more use."""

    def __init__(self) -> None:
        self.error: WireError | None = None
        self.frame_max = FRAME_MAX
        self._reader = FrameReader(self)
        self._reply: asyncio.Future[base.Frame] | None = None
        self._held_by: set[str] = set()
        self._free = asyncio.Event()
        self._free.set()
        self._heartbeat: heartbeat.Heartbeat | None = None
        self._transport: asyncio.Transport
        self._gone = asyncio.Event()

    async def connect(self, url: str, name: str) -> None:
        """Connect and open the channel; WireError, OSError or TimeoutError where that cannot be.

        The broker's operators read the name.
        """
        address = URL(url)
        secure = address.scheme == "amqps"
        # The name that is checked, and sent where it is no number (RFC 6066 section 3), is the address's host. A broker
        # that never says good-bye is not waited for longer than one that answers nothing else.
        options: dict[str, Any] = {"ssl": trusting(address.query.get("cafile"))} if secure else {}
        if secure:
            options["ssl_shutdown_timeout"] = CLOSE_SECONDS
        async with asyncio.timeout(OPEN_SECONDS):
            await asyncio.get_running_loop().create_connection(
                lambda: self,
                address.host or "localhost",
                address.port or (5671 if secure else 5672),
                **options,
            )
            try:
                await self._shake_hands(address, name)
                await self.prepare()
            except BaseException as error:
                self._fail(LostError(f"never opened: {error!r}"))
                raise

    async def prepare(self) -> None:
        """What the channel is for."""

    async def close(self) -> None:
        """Say good-bye; a broker that no longer answers is not waited for."""
        if self.error is None:
            with contextlib.suppress(WireError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    farewell = commands.Connection.Close(CLOSED_BY_US, "", 0, 0)
                    await self._call(farewell, commands.Connection.CloseOk, channel=0)
        self._fail(LostError("closed"))
        self._transport.abort()
        await self._gone.wait()

    async def _shake_hands(self, address: URL, name: str) -> None:
        """Sections 2.2.4 and 4.2.1 to 4.2.2."""
        self._transport.write(PROTOCOL_HEADER)
        await self._wait_for(commands.Connection.Start)
        response = f"\0{address.user or 'guest'}\0{address.password or 'guest'}"
        start = commands.Connection.StartOk({**PROPERTIES, "connection_name": name}, "PLAIN", response)
        tune = await self._call(start, commands.Connection.Tune, channel=0)
        self.frame_max = min(tune.frame_max or FRAME_MAX, FRAME_MAX)
        seconds = min(tune.heartbeat or heartbeat.SECONDS, heartbeat.SECONDS)
        self._send(commands.Connection.TuneOk(CHANNEL, self.frame_max, seconds), channel=0)
        vhost = commands.Connection.Open(unquote(address.raw_path[1:]) or "/")
        await self._call(vhost, commands.Connection.OpenOk, channel=0)
        self._heartbeat = heartbeat.Heartbeat(seconds, self._beat, self._fall_silent)
        await self._call(commands.Channel.Open(), commands.Channel.OpenOk)

    async def _call(self, method: base.Frame, answer: type[F], *, channel: int = CHANNEL) -> F:
        """Ask, and wait for the answer; one question at a time."""
        self._send(method, channel=channel)
        return await self._wait_for(answer)

    async def _wait_for(self, answer: type[F]) -> F:
        if self.error is not None:
            raise self.error
        self._reply = asyncio.get_running_loop().create_future()
        try:
            reply = await self._reply
        finally:
            self._reply = None
        if not isinstance(reply, answer):
            raise MalformedError(f"{reply.name} where {answer.name} was due")
        return reply

    def _send(self, method: base.Frame, *, channel: int = CHANNEL) -> None:
        self._transport.write(frame.marshal(method, channel))

    async def _until_free(self) -> None:
        """Wait until more may be written; raises what ended the connection."""
        await self._free.wait()
        if self.error is not None:
            raise self.error

    def _hold(self, reason: str, held: bool) -> None:
        (self._held_by.add if held else self._held_by.discard)(reason)
        if self._held_by and self.error is None:
            self._free.clear()
        else:
            self._free.set()

    def _fail(self, error: WireError) -> None:
        """The end, told once to everyone who waits."""
        if self.error is not None:
            return
        self.error = error
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self._transport.close() if isinstance(error, RefusedError) else self._transport.abort()
        self._free.set()
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error)
        self.on_failure(error)

    def _beat(self) -> None:
        self._transport.write(HEARTBEAT_FRAME)

    def _fall_silent(self) -> None:
        self._fail(LostError("no heartbeat"))

    # What the broker says.

    def on_method(self, channel: int, method: base.Frame) -> None:
        """Whatever is rare."""
        match method:
            case commands.Connection.Close() | commands.Channel.Close():
                closing_all = isinstance(method, commands.Connection.Close)
                self._send(
                    commands.Connection.CloseOk() if closing_all else commands.Channel.CloseOk(),
                    channel=channel,
                )
                self._fail(RefusedError(method.reply_code or 0, method.reply_text))
            case commands.Connection.Blocked():
                log.warning("broker.blocked", reason=method.reason)
                self._hold("blocked", True)
            case commands.Connection.Unblocked():
                log.info("broker.unblocked")
                self._hold("blocked", False)
            case commands.Channel.Flow():
                self._hold("flow", not method.active)
                self._send(commands.Channel.FlowOk(method.active))
            case _ if self._reply is not None and not self._reply.done():
                self._reply.set_result(method)
            case _:
                self._fail(MalformedError(f"{method.name} out of place"))

    def on_deliveries(self, deliveries: list[Delivery]) -> None:
        """Only a consumer has them."""
        self._fail(MalformedError("deliveries without a consumer"))

    def on_confirm(self, tag: int, multiple: bool, acked: bool) -> None:
        """Only a publisher has them."""
        self._fail(MalformedError("a confirm without a publisher"))

    def on_return(self, message_id: str, reason: str) -> None:
        """Only a publisher has them."""
        self._fail(MalformedError("a return without a publisher"))

    def on_failure(self, error: WireError) -> None:
        """The connection has ended."""

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._reader.space()

    def buffer_updated(self, nbytes: int) -> None:
        if self._heartbeat is not None:
            self._heartbeat.heard = True
        if self.error is None:
            try:
                self._reader.received(nbytes)
            except WireError as error:
                self._fail(error)

    def pause_writing(self) -> None:
        self._hold("network", True)

    def resume_writing(self) -> None:
        self._hold("network", False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(LostError(repr(exc) if exc else "closed by the peer"))
        self._gone.set()

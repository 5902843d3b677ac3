"""The broker's half of a conversation, for what a real one cannot be told to do: to refuse, to be silent, to lie."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from flotilla.bus.wire.frames import CHANNEL, FRAME_END, FRAME_HEAD, HEARTBEAT, PROTOCOL_HEADER
from pamqp import base, body, commands, frame, header

Frame = tuple[int, Any]
"""Its channel, and what pamqp made of it."""


class ScriptedBroker:
    """One connection as the broker sees it: what has come is read frame by frame, what is said is up to a test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heartbeat: int) -> None:
        self._reader = reader
        self.writer = writer
        self._heartbeat = heartbeat

    async def read(self) -> Any:
        """The next frame that is no heartbeat."""
        while True:
            head = await self._reader.readexactly(FRAME_HEAD.size)
            kind, _, size = FRAME_HEAD.unpack(head)
            payload = await self._reader.readexactly(size + 1)
            assert payload[-1] == FRAME_END
            if kind != HEARTBEAT:
                return frame.unmarshal(head + payload)[2]

    async def read_heartbeat(self) -> None:
        """Whatever comes next must be one."""
        head = await self._reader.readexactly(FRAME_HEAD.size + 1)
        assert head[0] == HEARTBEAT

    async def read_message(self) -> tuple[str, bytes]:
        """(its id, its body)."""
        assert isinstance(await self.read(), commands.Basic.Publish)
        content = await self.read()
        assert isinstance(content, header.ContentHeader)
        parts = b""
        while len(parts) < content.body_size:
            part = await self.read()
            assert isinstance(part, body.ContentBody)
            parts += part.value or b""
        return content.properties.message_id or "", parts

    def say(self, *frames: base.Frame, channel: int = CHANNEL) -> None:
        """Send methods."""
        for each in frames:
            self.writer.write(frame.marshal(each, channel))

    async def asked(self, question: type[base.Frame], answer: base.Frame, *, channel: int = CHANNEL) -> Any:
        """Answer a question, which must come next."""
        method = await self.read()
        assert isinstance(method, question), method
        self.say(answer, channel=channel)
        return method

    async def shake_hands(self) -> None:
        """Up to the open channel."""
        assert await self._reader.readexactly(len(PROTOCOL_HEADER)) == PROTOCOL_HEADER
        self.say(commands.Connection.Start(server_properties={}), channel=0)
        tune = commands.Connection.Tune(2047, 131072, self._heartbeat)
        await self.asked(commands.Connection.StartOk, tune, channel=0)
        assert isinstance(await self.read(), commands.Connection.TuneOk)
        await self.asked(commands.Connection.Open, commands.Connection.OpenOk(), channel=0)
        await self.asked(commands.Channel.Open, commands.Channel.OpenOk())

    async def let_publish(self) -> None:
        """Up to a channel in confirm mode."""
        await self.shake_hands()
        await self.asked(commands.Confirm.Select, commands.Confirm.SelectOk())

    async def let_consume(self) -> None:
        """Up to a consumer."""
        await self.shake_hands()
        await self.asked(commands.Basic.Qos, commands.Basic.QosOk())
        await self.asked(commands.Basic.Consume, commands.Basic.ConsumeOk("tag"))

    async def until_closed(self) -> None:
        """The client asks to close, or is simply gone."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not isinstance(await self.read(), commands.Connection.Close):
                pass
            self.say(commands.Connection.CloseOk(), channel=0)


Script = Callable[[ScriptedBroker], Awaitable[None]]


@asynccontextmanager
async def scripted(script: Script, *, heartbeat: int = 60) -> AsyncIterator[str]:
    """The address of a broker that follows a script for each connection; what the script asserts is raised here."""
    failures: list[BaseException] = []
    running: set[asyncio.Task[None]] = set()

    async def follow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        broker = ScriptedBroker(reader, writer, heartbeat)
        try:
            await script(broker)
            await broker.until_closed()
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            failures.append(error)
        finally:
            writer.close()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(follow(reader, writer))
        running.add(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"amqp://guest:guest@127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    if failures:
        raise failures[0]


def delivery(
    tag: int, content: bytes, *, headers: dict[str, Any] | None = None, again: bool = False
) -> bytes:
    """A delivery as the broker writes it, its body in one frame."""
    deliver = commands.Basic.Deliver("tag", tag, again, "exchange", "key")
    return frame.marshal(deliver, CHANNEL) + contents(content, headers=headers)


def contents(
    content: bytes,
    *,
    message_id: str | None = None,
    headers: dict[str, Any] | None = None,
    largest: int = 100_000,
) -> bytes:
    """Content header and bodies."""
    properties = commands.Basic.Properties(
        content_type="application/cloudevents+json", headers=headers, message_id=message_id
    )
    parts = [content[start : start + largest] for start in range(0, len(content), largest)]
    head = header.ContentHeader(body_size=len(content), properties=properties)
    bodies = b"".join(frame.marshal(body.ContentBody(part), CHANNEL) for part in parts)
    return frame.marshal(head, CHANNEL) + bodies


def returned(message_id: str, content: bytes = b"body") -> bytes:
    """A message that nobody listens for."""
    method = commands.Basic.Return(312, "NO_ROUTE", "exchange", "key")
    return frame.marshal(method, CHANNEL) + contents(content, message_id=message_id)

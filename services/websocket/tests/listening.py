"""Clients of the live protocol, as tests use them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from flotilla.events.crm import ContactCreated
from flotilla.ids import new_id
from flotilla.testing import Client, Harness
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

Message = dict[str, Any]


class Listener:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.ended = asyncio.Event()
        self._more = asyncio.Event()

    @property
    def events(self) -> list[str]:
        """The ids of the events, in the order in which they came."""
        return [message["id"] for message in self.messages if message["type"] == "event"]

    def hear(self, text: str | bytes) -> None:
        """Keep a message."""
        self.messages.append(msgspec.json.decode(text))
        self._more.set()

    async def expect(
        self, type_: str, where: Callable[[Message], Any] = lambda _: True, *, seconds: float = 30.0
    ) -> Message:
        """The first message of this type for which `where` is true."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for message in self.messages:
                        if message["type"] == type_ and where(message):
                            return message
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            seen = [message["type"] for message in self.messages]
            raise AssertionError(f"no such {type_} within {seconds} s; came: {seen[-20:]}") from None

    async def expect_event(self, event_id: UUID) -> Message:
        """The event with this id."""
        return await self.expect("event", lambda message: message["id"] == str(event_id))


class SocketListener(Listener):
    """Over WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__()
        self.socket = socket

    async def say(self, **message: Any) -> None:
        """Send a message."""
        await self.socket.send(msgspec.json.encode(message).decode())

    async def listen(self) -> None:
        """Until the connection ends."""
        try:
            async for text in self.socket:
                self.hear(text)
        except ConnectionClosedError:
            pass
        finally:
            self.ended.set()

    async def closed_with(self) -> int | None:
        """The close code, once it has come."""
        async with asyncio.timeout(30):
            await self.ended.wait()
        return self.socket.close_code


@asynccontextmanager
async def socket_of(
    client: Client, *, hello: bool = True, over: socket.socket | None = None
) -> AsyncIterator[SocketListener]:
    """A WebSocket of this person, greeted; over a connection that is open already, where one is given."""
    url = client.base_url.replace("http", "ws", 1) + "/v1/live"
    headers = dict(client.headers)
    protocols: Any = ["flotilla.v1"]
    async with connect(
        url, additional_headers=headers, subprotocols=protocols, proxy=None, sock=over
    ) as opened:
        listener = SocketListener(opened)
        listening = asyncio.create_task(listener.listen())
        try:
            if hello:
                await listener.expect("hello")
            yield listener
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def narrow(client: Client) -> socket.socket:
    """A connection that takes in little: whoever does not read from it is soon seen to be slow."""
    host, port = client.base_url.removeprefix("http://").split(":")
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.connect((host, int(port)))
    opened.setblocking(False)
    return opened


@asynccontextmanager
async def stream_of(client: Client, path: str = "/v1/live/events", **headers: str) -> AsyncIterator[Listener]:
    """A stream of server-sent events of this person, greeted."""
    listener = Listener()
    sent = {**client.headers, **headers}
    async with client.session.get(client.base_url + path, headers=sent) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"].startswith("text/event-stream")

        async def listen() -> None:
            async for line in answer.content:
                if line.startswith(b"data: "):
                    listener.hear(line.removeprefix(b"data: "))
            listener.ended.set()

        listening = asyncio.create_task(listen())
        try:
            await listener.expect("hello")
            yield listener
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def contact(**fields: Any) -> ContactCreated:
    """An event that everybody who works in the inbox may see."""
    given: dict[str, Any] = {
        "contact_id": new_id(),
        "name": "Zoë",
        "email": None,
        "phone": None,
        "language": None,
        "company_id": None,
        "owner_id": None,
        "tags": [],
        "source": "channel",
    }
    return ContactCreated(**given | fields)


async def show(live: Harness, org: UUID, audience: str | None = "org", **fields: Any) -> UUID:
    """Publish an event that people look at: its id."""
    return await live.publish(contact(**fields), org=org, audience=audience)


def now() -> datetime:
    """Now, with its zone."""
    return datetime.now(UTC)

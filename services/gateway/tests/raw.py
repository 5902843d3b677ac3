"""A caller that says exactly the bytes it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from typing import Any

import msgspec


@dataclass(frozen=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    broken: bool = False
    """The connection ended before the response did."""

    def header(self, name: str) -> str | None:
        """The first field of that name."""
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def pour(self, size: int) -> None:
        """Send that many bytes, as fast as they are taken."""
        for _ in range(size // 65_536):
            await self.say(b"x" * 65_536)

    async def answer(self, method: str = "GET") -> Answer:
        """The next response that is final."""
        while True:
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 15)
            first, *lines = head.decode("latin-1").split("\r\n")[:-2]
            status = int(first.split(" ")[1])
            if status >= 200 or status == 101:
                break
        headers = [
            (name.lower(), value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)
        ]
        if method == "HEAD" or status in (101, 204, 304):
            return Answer(status, headers, b"")
        body, broken = await self._body(dict(headers))
        return Answer(status, headers, body, broken)

    async def _body(self, headers: dict[str, str]) -> tuple[bytes, bool]:
        body = bytearray()
        try:
            if "content-length" in headers:
                while (left := int(headers["content-length"]) - len(body)) > 0:
                    part = await self.reader.read(left)
                    if not part:
                        return bytes(body), True
                    body += part
            elif headers.get("transfer-encoding") == "chunked":
                while size := int(await self.reader.readline() or b"x", 16):
                    body += await self.reader.readexactly(size)
                    await self.reader.readexactly(2)
                await self.reader.readexactly(2)
            else:
                body += await self.reader.read()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            return bytes(body), True
        return bytes(body), False

    async def closed(self) -> bool:
        """Whether the other side closed, read to its end."""
        with suppress(ConnectionError):
            await asyncio.wait_for(self.reader.read(), 15)
        return True


def narrow(end: asyncio.BaseTransport | asyncio.StreamWriter) -> None:
    """Have this end of a connection hold little from now on: what it does not take waits at the other, however large
    the buffers are that a machine lets grow."""
    socket = end.get_extra_info("socket")
    for buffer in (SO_RCVBUF, SO_SNDBUF):
        socket.setsockopt(SOL_SOCKET, buffer, 1 << 17)


@asynccontextmanager
async def connected(port: int, source: str | None = None) -> AsyncIterator[Caller]:
    """A connection to the gateway; `source`: from this address of this machine."""
    local = (source, 0) if source else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22, local_addr=local)
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()


def request(
    method: str, target: str, *headers: str, token: str | None = None, body: bytes | None = None
) -> bytes:
    """The bytes of a request; a body brings its Content-Length."""
    lines = [f"{method} {target} HTTP/1.1", "host: gateway.test", *headers]
    if token is not None:
        lines.append(f"authorization: Bearer {token}")
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


async def ask(
    port: int, method: str, target: str, *headers: str, token: str | None = None, body: bytes | None = None
) -> Answer:
    """One request on a connection of its own."""
    async with connected(port) as caller:
        await caller.say(request(method, target, *headers, token=token, body=body))
        return await caller.answer(method)

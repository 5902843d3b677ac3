"""Services behind the gateway as tests script them: real sockets, and every byte as the test wants it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Request:
    """What the gateway passed on."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    reader: asyncio.StreamReader
    connection: int
    """Counted from 1."""

    def header(self, name: str) -> str | None:
        """The first field of that name."""
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> list[str]:
        """All fields of that name."""
        return [value for key, value in self.headers if key == name]

    async def body(self) -> bytes:
        """The whole body, however it is framed."""
        if self.header("transfer-encoding") == "chunked":
            return b"".join([chunk async for chunk in self.chunks()])
        return await self.reader.readexactly(int(self.header("content-length") or 0))

    async def chunks(self) -> AsyncIterator[bytes]:
        """The chunks of a chunked body."""
        while size := int(await self.reader.readline(), 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)


Script = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ScriptedService:
    """One service. `script` answers each request; a connection stays open until the script closes it."""

    port: int = 0
    script: Script = field(default=lambda request, writer: ok(request, writer))
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    closed: int = 0
    """Connections that have ended."""
    failures: list[BaseException] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        number = self.connections
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                request = _parse(head, reader, number)
                self.requests.append(request)
                await self.script(request, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception as error:
            self.failures.append(error)
        finally:
            self.closed += 1
            writer.close()
            with suppress(Exception):
                await writer.wait_closed()


@asynccontextmanager
async def scripted(port: int = 0) -> AsyncIterator[ScriptedService]:
    """A service that listens; given a port, on that one."""
    service = ScriptedService()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await service.serve(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", port, limit=1 << 20)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ok(request: Request, writer: asyncio.StreamWriter) -> None:
    """The plainest answer: 200 with the length of the body that came."""
    body = await request.body()
    content = str(len(body)).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(content), content))


def answering(raw: bytes) -> Script:
    """Read the request, write these bytes."""

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        await request.body()
        writer.write(raw)

    return script


def _parse(head: bytes, reader: asyncio.StreamReader, number: int) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
    return Request(method, target, headers, reader, number)

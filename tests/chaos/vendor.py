"""The outside: accepts a thing once under each key, however often it is asked, and can be told to be slow."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Vendor:
    """A line `<key> <pid>` is answered `ok`; a key that was accepted before is not accepted twice."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.accepted: set[str] = set()
        self.port = 0
        self.before_answering: Callable[[int], None] | None = None
        """Told the process that waits for an answer, after the thing was accepted: it may be killed now."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        try:
            key, pid = (await reader.readline()).decode().split()
            self.asked[key] += 1
            self.accepted.add(key)
            if self.before_answering is not None:
                self.before_answering(int(pid))
            writer.write(b"ok\n")
            await writer.drain()
        except (OSError, ValueError):
            pass  # it hung up
        finally:
            writer.close()


@asynccontextmanager
async def running_vendor() -> AsyncIterator[Vendor]:
    """On any free port."""
    vendor = Vendor()
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
    vendor.port = server.sockets[0].getsockname()[1]
    try:
        yield vendor
    finally:
        server.close()

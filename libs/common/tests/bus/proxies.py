"""A way to the broker that a test can make silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from flotilla.instance import Instance


@asynccontextmanager
async def mute_proxy(instance: Instance) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """(the broker's address by way of this proxy, an event that ends all answers while requests go on)."""
    mute = asyncio.Event()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if not (back and mute.is_set()):
                    writer.write(data)
                    await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", instance.ports.rabbitmq)
        await asyncio.gather(carry(reader, back, back=False), carry(there, writer, back=True))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield instance.amqp_url.replace(f":{instance.ports.rabbitmq}/", f":{port}/"), mute
    finally:
        server.close()

"""A client that does not read holds up nobody and costs no memory without bound."""

import asyncio
from uuid import UUID

from flotilla.testing import Client, Harness
from flotilla.testing.plugin import StartService
from flotilla_websocket.metrics import SHED

from services.websocket.tests.listening import SocketListener, narrow, show, socket_of

HANDSHAKE = (
    "GET /v1/live HTTP/1.1\r\nHost: flotilla\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{headers}\r\n\r\n"
)


async def _open_and_never_read(client: Client) -> asyncio.StreamWriter:
    """A WebSocket on a bare connection whose receiving side stays full."""
    reader, writer = await asyncio.open_connection(sock=narrow(client), limit=1024)
    headers = "\r\n".join(f"{name}: {value}" for name, value in client.headers.items())
    writer.write(HANDSHAKE.format(headers=headers).encode())
    await reader.readuntil(b"\r\n\r\n")
    return writer


async def _burst(live: Harness, org: UUID, quick: SocketListener) -> None:
    """Some large events at once, all of which reach the client that reads."""
    shown = await asyncio.gather(*(show(live, org, tags=["x" * 1000] * 30) for _ in range(8)))
    for event_id in shown:
        await quick.expect_event(event_id)


async def test_a_slow_client_is_shed_while_others_receive(
    live: Harness, start_service: StartService, org: UUID
) -> None:
    async with (
        start_service("websocket", instance=live.instance, queued_events=20, resume_events=10) as small,
        socket_of(small.client(org)) as quick,
    ):
        shed = SHED._value.get()
        stuck = await _open_and_never_read(small.client(org))
        try:
            while SHED._value.get() == shed:
                await _burst(live, org, quick)
                assert len(small.app.own.hub.peers()) == 2
            waiting = max(len(peer._queue) for peer in small.app.own.hub.peers())
            assert waiting <= 20
        finally:
            stuck.close()


async def test_a_client_that_catches_up_is_told_to_read_again(
    live: Harness, start_service: StartService, org: UUID
) -> None:
    async with (
        start_service("websocket", instance=live.instance, queued_events=20, resume_events=10) as small,
        socket_of(small.client(org)) as quick,
        socket_of(small.client(org), over=narrow(small.client(org))) as slow,
    ):
        slow.socket.transport.pause_reading()
        shed = SHED._value.get()
        while SHED._value.get() == shed:
            await _burst(live, org, quick)
        slow.socket.transport.resume_reading()
        await slow.expect("resync")
        last = await show(live, org)
        await slow.expect_event(last)
        await quick.expect_event(last)


async def test_a_client_that_takes_too_long_for_one_message_is_given_up(
    live: Harness, start_service: StartService, org: UUID
) -> None:
    async with (
        start_service(
            "websocket", instance=live.instance, queued_events=20, resume_events=10, send_seconds=0.5
        ) as small,
        socket_of(small.client(org)) as quick,
    ):
        stuck = await _open_and_never_read(small.client(org))
        try:
            async with asyncio.timeout(30):
                while len(small.app.own.hub.peers()) == 2:
                    await _burst(live, org, quick)
        finally:
            stuck.close()

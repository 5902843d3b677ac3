"""WebSockets through the door, spoken by a real client with a real server."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flotilla.ids import new_id
from flotilla.testing import eventually
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import ask, connected, narrow, request
from services.gateway.tests.world import World, world

Talk = Callable[[ServerConnection], Awaitable[None]]


async def echo(connection: ServerConnection) -> None:
    """Says everything back."""
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def live(folder: Path, talk: Talk = echo, **options: Any) -> AsyncIterator[tuple[World, Server]]:
    """A gateway whose websocket service is real."""
    own = ("stall_seconds", "caller_connections", "exempt_networks")
    settings = {name: options.pop(name) for name in own if name in options}
    async with serve(talk, "127.0.0.1", 0, **options) as server, world(folder, **settings) as edge:
        edge.gateway.upstreams["websocket"].addresses = deque(
            [("127.0.0.1", next(iter(server.sockets)).getsockname()[1])]
        )
        edge.gateway.upstreams["websocket"].authority = b"websocket.internal"
        yield edge, server


def opening(edge: World, query: str = "", **options: Any) -> Any:
    """A client's connection to the live channel."""
    return connect(f"ws://127.0.0.1:{edge.port}/v1/live{query}", **options)


async def test_a_token_in_the_header(tmp_path: Path) -> None:
    seen: list[ServerConnection] = []

    async def keep(connection: ServerConnection) -> None:
        seen.append(connection)
        await echo(connection)

    async with live(tmp_path, keep) as (edge, _):
        token = edge.token()
        headers = {
            "authorization": f"Bearer {token}",
            "flotilla-principal": "forged",
            "x-request-id": "socket-4711",
        }
        async with opening(edge, "?after=7", additional_headers=headers) as socket:
            for message in ("hello", b"\x00\xff", "x" * 1_000_000):
                await socket.send(message)
                assert await socket.recv() == message
        passed = seen[0].request
        assert passed is not None
        assert passed.path == "/v1/live?after=7"
        assert edge.principals.verify(passed.headers["flotilla-principal"]).role == "team_member"
        assert passed.headers.get_all("flotilla-principal") == [passed.headers["flotilla-principal"]]
        assert passed.headers["x-request-id"] == "socket-4711"
        assert passed.headers["host"] == "websocket.internal"
        assert "authorization" not in passed.headers


async def test_a_token_as_a_subprotocol_as_browsers_must(tmp_path: Path) -> None:
    offered: list[str] = []

    async def keep(connection: ServerConnection) -> None:
        assert connection.request is not None
        offered.append(connection.request.headers["sec-websocket-protocol"])

    async with live(tmp_path, keep, subprotocols=[Subprotocol("flotilla.v1")]) as (edge, _):
        protocols = [Subprotocol("flotilla.v1"), Subprotocol(f"bearer.{edge.token()}")]
        async with opening(edge, subprotocols=protocols) as socket:
            assert socket.subprotocol == "flotilla.v1"
    assert offered == ["flotilla.v1"], "the token goes no further"


async def test_a_token_in_the_query(tmp_path: Path) -> None:
    paths: list[str] = []

    async def keep(connection: ServerConnection) -> None:
        assert connection.request is not None
        paths.append(connection.request.path)

    async with live(tmp_path, keep) as (edge, _):
        token = edge.token()
        async with opening(edge, f"?after=7&access_token={token}&x=1") as socket:
            await socket.wait_closed()
    assert paths == ["/v1/live?after=7&x=1"]
    logged = b"".join(edge.log)
    assert b'"route":"/v1/live"' in logged
    assert token.encode() not in logged


async def test_sockets_are_connections_of_their_address(tmp_path: Path) -> None:
    greedy = "127.0.0.68"

    async def status(edge: World) -> int:
        async with connected(edge.port, greedy) as caller:
            await caller.say(request("GET", "/healthz"))
            return (await caller.answer()).status

    async with live(tmp_path, caller_connections=1, exempt_networks="127.0.0.1") as (edge, _):
        headers = {"authorization": f"Bearer {edge.token()}"}
        async with opening(edge, additional_headers=headers, local_addr=(greedy, 0)) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
            assert await status(edge) == 503, "one too many"

        async def let_in() -> bool:
            return await status(edge) == 200

        await eventually(let_in, what="it was closed, and is counted no more")


@pytest.mark.parametrize("token", ["", "nonsense"])
async def test_nobody(tmp_path: Path, token: str) -> None:
    async with live(tmp_path) as (edge, server):
        with pytest.raises(InvalidStatus) as refused:
            await opening(edge, f"?access_token={token}")
        assert refused.value.response.status_code == 401
        assert not server.connections


async def test_other_paths_and_no_websocket(edge: World) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{edge.port}/v1/things?access_token={edge.token()}")
    assert refused.value.response.status_code == 404
    plain = await ask(edge.port, "GET", "/v1/live", token=edge.token())
    assert (plain.status, plain.header("upgrade")) == (426, "websocket")
    keyless = await ask(
        edge.port, "GET", "/v1/live", "connection: upgrade", "upgrade: websocket", token=edge.token()
    )
    assert keyless.status == 400


async def test_what_the_service_declines_is_passed_on(tmp_path: Path) -> None:
    def decline(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(403, "not for you\n")

    async with live(tmp_path, process_request=decline) as (edge, _):
        with pytest.raises(InvalidStatus) as refused:
            await opening(edge, f"?access_token={edge.token()}")
        assert refused.value.response.status_code == 403
        assert refused.value.response.body == b"not for you\n"


async def test_a_service_that_is_down(start_world: StartWorld) -> None:
    async with start_world() as edge:
        edge.gateway.upstreams["websocket"].addresses = deque([("127.0.0.1", 1)])
        with pytest.raises(InvalidStatus) as refused:
            await opening(edge, f"?access_token={edge.token()}")
        assert refused.value.response.status_code == 503


async def test_what_is_said_with_the_handshakes_answer_is_not_lost(tmp_path: Path) -> None:
    async def greet(connection: ServerConnection) -> None:
        for number in range(100):
            await connection.send(str(number))

    async with live(tmp_path, greet) as (edge, _):
        for _ in range(20):
            async with opening(edge, f"?access_token={edge.token()}") as socket:
                assert [await socket.recv() for _ in range(100)] == [str(number) for number in range(100)]


async def test_either_side_may_close(tmp_path: Path) -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(4000, "enough")

    async with live(tmp_path, close) as (edge, server):
        async with opening(edge, f"?access_token={edge.token()}") as socket:
            await socket.send("x")
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "enough")
        async with opening(edge, f"?access_token={edge.token()}") as socket:
            socket.transport.abort()
        await eventually(lambda: _true(not server.connections and not edge.gateway.tunnels._relays))


async def test_a_caller_that_reads_nothing_slows_the_service_and_is_cut_at_last(tmp_path: Path) -> None:
    sent = 0

    async def pour(connection: ServerConnection) -> None:
        nonlocal sent
        narrow(connection.transport)
        with contextlib.suppress(ConnectionClosed):
            while sent < 1 << 30:
                await connection.send(b"x" * 65_536)
                sent += 65_536

    async with live(tmp_path, pour, stall_seconds=0.5) as (edge, server):
        async with connected(edge.port) as caller:
            narrow(caller.writer)
            caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
            handshake = (
                "connection: upgrade",
                "upgrade: websocket",
                "sec-websocket-version: 13",
                "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            )
            await caller.say(request("GET", "/v1/live", *handshake, token=edge.token()))
            await eventually(lambda: _true(sent and not server.connections), what="it was cut")
        assert sent < 64 << 20


async def test_frames_before_the_handshake_is_answered(edge: World) -> None:
    async with connected(edge.port) as caller:
        await caller.say(
            request(
                "GET",
                "/v1/live",
                "connection: upgrade",
                "upgrade: websocket",
                "sec-websocket-key: x",
                token=edge.token(),
            )
        )
        await eventually(lambda: _true(edge.services["websocket"].requests))
        await caller.say(b"\x81\x00")
        assert await caller.closed()
    await eventually(lambda: _true(edge.services["websocket"].closed == 1), what="the service is left alone")


async def test_a_budget_and_a_revocation_hold_for_sockets_too(tmp_path: Path) -> None:
    async with live(tmp_path) as (edge, _):
        person = {"sub": str(new_id()), "org": str(new_id()), "sid": str(new_id())}
        async with opening(edge, f"?access_token={edge.token(**person)}"):
            pass
        edge.gateway.standing._ended = {UUID(person["sid"])}
        edge.gateway.standing.epoch += 1
        with pytest.raises(InvalidStatus) as refused:
            await opening(edge, f"?access_token={edge.token(**person)}")
        assert refused.value.response.status_code == 401


async def test_tunnels_close_when_it_is_told_to_stop(tmp_path: Path) -> None:
    async with live(tmp_path) as (edge, _), opening(edge, f"?access_token={edge.token()}") as socket:
        edge.server.should_exit = True
        async with asyncio.timeout(5):
            await socket.wait_closed()


async def _true(value: object) -> bool:
    return bool(value)

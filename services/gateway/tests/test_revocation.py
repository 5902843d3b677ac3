"""What is taken back is refused by every gateway process within a second, and sockets it opened there close."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from flotilla.events.auth import ApiKeyCreated, ApiKeyRevoked, SessionEnded
from flotilla.events.base import Event
from flotilla.events.security import OAuthClientRevoked
from flotilla.ids import new_id
from flotilla.testing.plugin import StartService
from flotilla_gateway.settings import GatewaySettings
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from services.gateway.tests.fleet import Fleet
from services.gateway.tests.test_plans import REVOKED, api_key
from services.gateway.tests.test_programs import new_key
from services.gateway.tests.test_tunnels import echo

PROMISED_SECONDS = 1.0
BUSY = 5
"""A machine that runs everything else as well is given so many times that."""


async def test_all_kinds_within_a_second_at_two_processes(fleet: Fleet, start_service: StartService) -> None:
    settings = fleet.gateway.app.settings
    assert isinstance(settings, GatewaySettings)
    org, key = new_id(), new_key()
    made = api_key(key)
    session, client = new_id(), new_id()
    now = datetime.now(UTC)
    token = fleet.key.token(sid=str(session), org=str(org))
    programs = fleet.key.token(sid=str(client), org=str(org), scope="things:read")
    client_state: dict[str, Any] = {
        "name": "ERP",
        "scopes": ["things:read"],
        "role": "admin",
        "created_by": new_id(),
    }
    revocations: list[tuple[str, Event]] = [
        (token, SessionEnded(session_id=session, user_id=new_id(), reason="revoked", ended_at=now)),
        (key, ApiKeyRevoked(**made, **REVOKED)),
        (
            programs,
            OAuthClientRevoked(
                client_id=client, **client_state, secret_rotated_at=now, revoked_at=now, reason="revoked"
            ),
        ),
    ]
    async with serve(echo, "127.0.0.1", 0) as live:
        port = next(iter(live.sockets)).getsockname()[1]
        upstreams = f"{settings.upstreams},websocket=http://127.0.0.1:{port}"
        shared: dict[str, Any] = {"openapi_file": settings.openapi_file, "upstreams": upstreams}
        async with start_service("gateway", instance=fleet.gateway.instance, **shared) as second:
            replica = Fleet(second, fleet.things, fleet.key)
            await fleet.gateway.publish(ApiKeyCreated(**made), org=org, sequence=1)
            for credential in (token, key, programs):
                await fleet.becomes(200, credential)
                await replica.becomes(200, credential)
            for credential, revocation in revocations:
                program = credential != token
                async with connect(_live(replica, credential)) as socket:
                    await socket.send("hello")
                    assert await socket.recv() == "hello"
                    began = time.monotonic()
                    await fleet.gateway.publish(revocation, org=org, sequence=2)
                    await asyncio.gather(fleet.becomes(401, credential), replica.becomes(401, credential))
                    assert time.monotonic() - began < PROMISED_SECONDS * BUSY
                    if program:  # Of people, the live channel closes them (services/websocket).
                        async with asyncio.timeout(PROMISED_SECONDS * BUSY):
                            await socket.wait_closed()


async def test_a_redis_that_hangs_keeps_no_revocation_back(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass

    session = new_id()
    token = fleet.key.token(sid=str(session))
    await fleet.becomes(200, token)
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        # Longer than the test waits: what ends the wait is not the client's own time limit.
        hung = Redis.from_url(url, socket_timeout=60, socket_connect_timeout=60)
        monkeypatch.setattr(fleet.gateway.app, "redis", hung)
        ended = SessionEnded(
            session_id=session, user_id=new_id(), reason="revoked", ended_at=datetime.now(UTC)
        )
        await fleet.gateway.publish(ended, org=new_id())
        await fleet.becomes(401, token)
        await hung.aclose()


def _live(gateway: Fleet, credential: str) -> str:
    return f"ws://127.0.0.1:{gateway.port}/v1/live?access_token={credential}"

"""Every answer, however it comes about, tells browsers to be careful, and none tells what runs here."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from flotilla.events.auth import OrganizationUpdated
from flotilla.ids import new_id
from flotilla.testing import eventually

from services.gateway.tests.browsers import ACCESS_COOKIE
from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.fleet import Fleet
from services.gateway.tests.raw import Answer, ask, connected, request
from services.gateway.tests.scripted import Request, answering
from services.gateway.tests.test_observing import lines_of
from services.gateway.tests.test_service import organization
from services.gateway.tests.test_tunnels import live
from services.gateway.tests.world import World

HANDSHAKE = ("connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13")
KEY = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
HTTPS = "x-forwarded-proto: https"
ASKS = ("access-control-request-method: POST", "access-control-request-headers: x-csrf-token")


def check(answer: Answer, *, https: bool = True) -> None:
    """Careful browsers, nothing told."""
    told = dict(answer.headers)
    assert told["x-content-type-options"] == "nosniff"
    assert told["referrer-policy"] == "no-referrer"
    assert told["cross-origin-resource-policy"] == "same-site"
    policy = told["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert told.get("strict-transport-security") == ("max-age=31536000; includeSubDomains" if https else None)
    assert len(told["x-request-id"]) >= 8
    assert not {"server", "x-powered-by", "x-aspnet-version", "flotilla-debug"} & set(told)
    assert [name for name, _ in answer.headers].count("content-security-policy") == 1


async def test_all_kinds_of_answers(start_world: StartWorld) -> None:
    reached = {"public_url": "https://flotilla.example"}
    async with start_world(
        trusted_proxies="127.0.0.0/8", limit_session="7/600", head_bytes=2048, **reached
    ) as edge:
        token = edge.token()
        edge.things.script = answering(
            b"HTTP/1.1 200 OK\r\nserver: Secret/1.0\r\nflotilla-debug: 1\r\ncontent-length: 2\r\n\r\nok"
        )
        for method, path, *rest in _requests(token):
            answer = await ask(edge.port, method, path, HTTPS, *rest)
            check(answer)
        not_modified = answering(b'HTTP/1.1 304 Not Modified\r\netag: "1"\r\nserver: Secret/1.0\r\n\r\n')
        edge.things.script = not_modified
        answer = await ask(edge.port, "GET", "/v1/open", HTTPS)
        assert answer.status == 304
        check(answer)
        edge.things.script = answering(b"nonsense\r\n\r\n")
        answer = await ask(edge.port, "GET", "/v1/open", HTTPS)
        assert answer.status == 502
        check(answer)
        too_large = await ask(edge.port, "GET", "/v1/open", HTTPS, "x: " + "x" * 5000)
        assert too_large.status == 431
        check(too_large)


def _requests(token: str) -> Sequence[tuple[str, ...]]:
    bearer = f"authorization: Bearer {token}"
    return (
        ("GET", "/v1/open"),
        ("HEAD", "/v1/open"),
        ("GET", "/v1/things", bearer),
        ("GET", "/v1/things"),
        ("GET", "/v1/unknown"),
        ("PUT", "/v1/things"),
        ("OPTIONS", "/v1/things"),
        ("OPTIONS", "/v1/things", "origin: https://evil.example", *ASKS),
        ("GET", "/v1/absent", bearer),
        ("GET", "/v1/live"),
        ("GET", "/v1/%2e%2e/x"),
        ("POST", "/v1/things", f"cookie: {ACCESS_COOKIE}={token}"),
        *[("GET", "/v1/things", bearer)] * 6,
    )


async def test_streams(start_world: StartWorld) -> None:
    async def stream(passed: Request, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nserver: Secret/1.0\r\n"
        writer.write(head + b"transfer-encoding: chunked\r\n\r\n6\r\ndata:\n\r\n")
        await writer.drain()
        writer.write(b"0\r\n\r\n")

    async with start_world(trusted_proxies="127.0.0.0/8") as edge:
        edge.services["websocket"].script = stream
        answer = await ask(edge.port, "GET", "/v1/live/events", HTTPS, token=edge.token())
        assert answer.status == 200
        check(answer)


async def test_sockets(tmp_path: Path) -> None:
    async with live(tmp_path) as (edge, _):
        async with connected(edge.port) as caller:
            await caller.say(request("GET", "/v1/live", *HANDSHAKE, KEY, token=edge.token()))
            answer = await caller.answer()
            assert answer.status == 101
            check(answer, https=False)
        for token, status in (("nonsense", 401), (edge.token(), 400)):
            answer = await ask(
                edge.port, "GET", "/v1/live", *HANDSHAKE, *([KEY] if status == 401 else []), token=token
            )
            assert answer.status == status
            check(answer, https=False)


async def test_what_is_not_http(edge: World) -> None:
    async with connected(edge.port) as caller:
        await caller.say(b"NONSENSE\r\n\r\n")
        answer = await caller.answer()
    assert answer.status == 400
    check(answer, https=False)
    (line,) = [line for line in lines_of(edge) if line["status"] == 400]
    assert (line["request_id"], line["route"]) == (answer.header("x-request-id"), "-")


async def test_pages_and_their_errors(fleet: Fleet) -> None:
    for path in (
        "/docs",
        "/docs/docs.js",
        "/problems",
        "/problems/not-found",
        "/openapi.json",
        "/nothing",
        "/healthz",
    ):
        check(await ask(fleet.port, "GET", path), https=False)
    known = (await ask(fleet.port, "GET", "/openapi.json")).header("etag")
    check(await ask(fleet.port, "GET", "/openapi.json", f"if-none-match: {known}"), https=False)
    check(await fleet.ask(fleet.key.token(role="owner"), "/v1/parked/gateway"), https=False)


async def test_an_organizations_origins_are_for_its_people(edge: World) -> None:
    org, other = new_id(), new_id()
    edge.gateway.cors.learn([org], [(org, ["https://app.example.com"])])
    origin = "origin: https://app.example.com"
    mine, theirs = edge.token(org=str(org)), edge.token(org=str(other))
    preflight = await ask(edge.port, "OPTIONS", "/v1/things", origin, *ASKS)
    assert _allowed(preflight), "it is not known yet who asks"
    assert "x-csrf-token" in (preflight.header("access-control-allow-headers") or "")
    assert _allowed(await ask(edge.port, "GET", "/v1/things", origin, token=mine))
    assert not _allowed(await ask(edge.port, "GET", "/v1/things", origin, token=theirs)), "not to be read"
    assert _allowed(await ask(edge.port, "GET", "/v1/things", origin)), "it may see that it must sign in"
    for method in ("OPTIONS", "GET"):
        assert not _allowed(await ask(edge.port, method, "/v1/open", origin, ASKS[0].replace("POST", "GET")))
    cookie = f"cookie: {ACCESS_COOKIE}="
    assert (await ask(edge.port, "GET", "/v1/things", origin, cookie + mine)).status == 200
    assert (await ask(edge.port, "GET", "/v1/things", origin, cookie + theirs)).status == 403
    edge.gateway.cors.learn([org], [])
    assert not _allowed(await ask(edge.port, "GET", "/v1/things", origin, token=mine))
    assert (await ask(edge.port, "GET", "/v1/things", origin, cookie + mine)).status == 403


async def test_origins_come_by_event(fleet: Fleet) -> None:
    org = new_id()
    token = fleet.key.token(org=str(org))

    async def allowed() -> bool:
        return _allowed(
            await ask(fleet.port, "GET", "/v1/things", "origin: https://crm.example", token=token)
        )

    async def told(sequence: int, *origins: str) -> None:
        changed = OrganizationUpdated(**organization(org, "active"), allowed_origins=list(origins))
        await fleet.gateway.publish(changed, org=org, sequence=sequence)

    assert not await allowed()
    await told(2, "https://app.example", "https://crm.example")
    await eventually(allowed)
    await told(3, "https://app.example")

    async def taken_back() -> bool:
        return not await allowed()

    await eventually(taken_back)


def _allowed(answer: Answer) -> bool:
    said = answer.header("access-control-allow-origin")
    assert said != "*"
    assert (answer.header("access-control-allow-credentials") == "true") is (said is not None)
    return said is not None

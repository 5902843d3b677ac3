"""Which header fields pass, and that none a caller sends can be taken for one of the gateway's own."""

import asyncio

import pytest
from flotilla_gateway.browser.cookies import ACCESS
from flotilla_gateway.forward.headers import HOP_BY_HOP
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import ask, connected, request
from services.gateway.tests.scripted import Request, answering
from services.gateway.tests.world import World

FORGED = [
    "flotilla-principal: forged",
    "Flotilla-Principal: forged",
    "flotilla_principal: forged",
    "flotilla-anything: forged",
    "x-forwarded-for: 6.6.6.6",
    "X_Forwarded_For: 6.6.6.6",
    "x-forwarded_proto: https",
    "x-forwarded-proto: https",
    "x-forwarded-host: evil",
    "x-real-ip: 6.6.6.6",
    "forwarded: for=6.6.6.6",
    "traceparent: 00-11111111111111111111111111111111-2222222222222222-01",
    "baggage: a=b",
]


async def test_strips_what_only_the_gateway_may_say(edge: World) -> None:
    await ask(edge.port, "GET", "/v1/things", *FORGED, token=edge.token())
    passed = edge.things.requests[0]
    said = str(passed.headers).lower()
    for secret in ("forged", "6.6.6.6", "evil", "1111111111", "a=b"):
        assert secret not in said
    assert passed.all("x-forwarded-for") == ["127.0.0.1"]
    assert passed.all("x-forwarded-proto") == ["http"]
    assert len(passed.all("flotilla-principal")) == 1
    assert passed.header("authorization") is None, "a service with a principal gets no token"


async def test_strips_it_on_open_routes_too(edge: World) -> None:
    await ask(edge.port, "GET", "/v1/open", *FORGED, "authorization: Basic abc", "cookie: a=b1")
    passed = edge.things.requests[0]
    assert passed.header("flotilla-principal") is None
    assert "forged" not in str(passed.headers)
    assert passed.header("authorization") == "Basic abc", "hooks prove themselves with it"


async def test_a_trailer_is_no_header(edge: World) -> None:
    async with connected(edge.port) as caller:
        head = request("POST", "/v1/open", "transfer-encoding: chunked")
        await caller.say(head + b"1\r\na\r\n0\r\nflotilla-principal: forged\r\nx-late: 1\r\n\r\n")
        assert (await caller.answer()).status == 200
    names = [name for name, _ in edge.things.requests[0].headers]
    assert "x-late" not in names
    assert "flotilla-principal" not in names


async def test_strips_hop_by_hop_fields_both_ways(edge: World) -> None:
    edge.things.script = answering(
        b"HTTP/1.1 200 OK\r\nconnection: keep-alive, x-private\r\nx-private: 1\r\nkeep-alive: timeout=5\r\n"
        b"proxy-authenticate: Basic\r\nserver: secret/1.0\r\nflotilla-debug: 1\r\nx-public: 1\r\n"
        b"content-length: 0\r\n\r\n"
    )
    answer = await ask(
        edge.port,
        "GET",
        "/v1/things",
        "connection: keep-alive, x-mine",
        "x-mine: 1",
        "te: trailers",
        "proxy-authorization: Basic abc",
        "keep-alive: timeout=5",
        "x-other: 1",
        token=edge.token(),
    )
    passed = {name for name, _ in edge.things.requests[0].headers}
    assert "x-other" in passed
    assert not passed & ({name.decode() for name in HOP_BY_HOP} | {"x-mine"})
    given = {name for name, _ in answer.headers}
    assert "x-public" in given
    assert not given & {"x-private", "keep-alive", "proxy-authenticate", "server", "flotilla-debug"}


@pytest.mark.parametrize("said", [("x-mine", "keep-alive"), ("close", "x-mine"), ("", "X-Mine ,,")])
@pytest.mark.parametrize("other", ["cookie: a=b", f"cookie: {ACCESS.decode()}=of-the-gateway"])
async def test_what_connection_names_is_dropped_however_often_it_is_said(
    edge: World, said: tuple[str, str], other: str
) -> None:
    fields = [f"connection: {each}" for each in said]
    await ask(edge.port, "GET", "/v1/open", *fields, other, "x-mine: 1", "x-other: 1")
    passed = edge.things.requests[0]
    assert (passed.header("x-mine"), passed.header("x-other")) == (None, "1")


async def test_request_ids(edge: World) -> None:
    good = await ask(edge.port, "GET", "/v1/open", "x-request-id: order-4711.a")
    assert good.header("x-request-id") == "order-4711.a"
    for bad in ("short", "x" * 129, "<script>alert(1)</script>", "a b c d e f g"):
        answer = await ask(edge.port, "GET", "/v1/open", f"x-request-id: {bad}")
        assert answer.header("x-request-id") not in (None, bad)
    problem = await ask(edge.port, "GET", "/v1/unknown", "x-request-id: order-4711.a")
    assert problem.json()["request_id"] == problem.header("x-request-id") == "order-4711.a"


async def test_guards_browsers(edge: World) -> None:
    for path in ("/v1/open", "/v1/unknown", "/v1/things"):
        answer = await ask(edge.port, "GET", path)
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("referrer-policy") == "no-referrer"
        assert "frame-ancestors 'none'" in (answer.header("content-security-policy") or "")
        assert answer.header("cache-control") == "no-store"
        assert answer.header("strict-transport-security") is None, "never over plain http"


async def test_believes_trusted_proxies_only(start_world: StartWorld) -> None:
    async with start_world(trusted_proxies="127.0.0.0/8, 10.0.0.0/8") as edge:
        answer = await ask(
            edge.port,
            "GET",
            "/v1/open",
            "x-forwarded-for: 6.6.6.6, 203.0.113.7, 10.1.2.3",
            "x-forwarded-proto: https",
        )
        passed = edge.things.requests[0]
        assert passed.header("x-forwarded-for") == "203.0.113.7", "what stands further left may be made up"
        assert passed.header("x-forwarded-proto") == "https"
        assert answer.header("strict-transport-security") is not None


async def test_cross_origin_requests_from_listed_origins_only(start_world: StartWorld) -> None:
    async with start_world(cors_origins="https://app.example.com") as edge:
        asks = ("access-control-request-method: POST", "access-control-request-headers: authorization")
        listed = await ask(edge.port, "OPTIONS", "/v1/things", "origin: https://app.example.com", *asks)
        assert listed.status == 204
        assert listed.header("access-control-allow-origin") == "https://app.example.com"
        assert "POST" in (listed.header("access-control-allow-methods") or "")
        other = await ask(edge.port, "OPTIONS", "/v1/things", "origin: https://evil.example.com", *asks)
        assert other.header("access-control-allow-origin") is None
        read = await ask(edge.port, "GET", "/v1/open", "origin: https://app.example.com")
        assert read.header("access-control-allow-origin") == "https://app.example.com"


async def test_no_origin_is_listed_by_default(edge: World) -> None:
    answer = await ask(edge.port, "GET", "/v1/open", "origin: https://app.example.com")
    assert answer.header("access-control-allow-origin") is None


names = st.from_regex(r"\Ax-[a-z0-9!#$%&'*+.^_`|~-]{1,30}\Z").filter(
    lambda name: not name.replace("_", "-").startswith(("x-forwarded", "x-request", "x-real", "x-api"))
)
values = st.binary(max_size=60).map(
    lambda raw: bytes(byte for byte in raw if byte in range(0x20, 0x7F) or byte >= 0x80).strip()
)


@given(
    fields=st.lists(st.tuples(names, values), max_size=15),
    body=st.binary(max_size=3000),
    cuts=st.lists(st.integers(1, 500), max_size=6),
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.asyncio(loop_scope="session")
async def test_passes_any_fields_and_any_body_unchanged(
    edge: World, fields: list[tuple[str, bytes]], body: bytes, cuts: list[int]
) -> None:
    bodies: list[bytes] = []
    echoed = b"".join(b"%b: %b\r\n" % (name.encode(), value) for name, value in fields)

    async def echo(passed: Request, writer: asyncio.StreamWriter) -> None:
        bodies.append(await passed.body())
        writer.write(b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (echoed, len(body), body))

    edge.things.script = echo
    edge.things.requests.clear()
    wire = request("POST", "/v1/open", f"content-length: {len(body)}")
    wire = wire[:-2] + echoed + b"\r\n" + body
    async with connected(edge.port) as caller:
        for part in _cut(wire, cuts):
            await caller.say(part)
        answer = await caller.answer()
    sent = sorted((name, value.decode("latin-1")) for name, value in fields)
    assert bodies == [body]
    assert answer.body == body
    assert sorted(field for field in edge.things.requests[0].headers if field in sent) == sent
    assert sorted(field for field in answer.headers if field in sent) == sent


def _cut(wire: bytes, cuts: list[int]) -> list[bytes]:
    parts, at = [], 0
    for cut in cuts:
        parts.append(wire[at : at + cut])
        at += cut
    return [part for part in [*parts, wire[at:]] if part]


async def test_what_the_last_request_of_a_connection_said_is_not_said_for_the_next(edge: World) -> None:
    """What is passed on is worked out once for requests that say the same, and only for them."""
    told = [
        ("x-a: 1",),
        ("x-a: 1",),
        ("x-a: 2",),
        ("x-a: 2", "x-b: 1"),
        ("x-b: 1", "x-a: 2"),
        ("x-a: 2",),
        ("connection: x-a", "x-a: 2"),
        ("x-a: 2",),
        (),
    ]
    token = edge.token()
    async with connected(edge.port) as caller:
        for path in ("/v1/open", "/v1/things"):
            for fields in told:
                await caller.say(request("GET", path, *fields, f"authorization: Bearer {token}"))
                assert (await caller.answer()).status == 200
    passed = [
        ([f"{name}: {value}" for name, value in each.headers if name[:2] == "x-" and len(name) == 3], each)
        for each in edge.things.requests
    ]
    expected = [[each for each in fields if not fields[0].startswith("connection")] for fields in told]
    assert [fields for fields, _ in passed] == expected * 2
    credentials = [each.header("authorization") is not None for _, each in passed]
    assert credentials == [True] * len(told) + [False] * len(told)

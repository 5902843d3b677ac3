"""Addresses of which too much was wrong: blocked at every gateway process, for longer each time, and told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from flotilla.events.gateway import AddressBlocked, AddressUnblocked
from flotilla.security import blocks
from flotilla.testing import eventually
from flotilla_gateway.abuse.watch import worth
from flotilla_gateway.routing import Operation
from redis.asyncio import Redis

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.fleet import Fleet
from services.gateway.tests.raw import Answer, ask, connected
from services.gateway.tests.test_limits import redis_of_tests
from services.gateway.tests.world import World, world

PROXY = {"trusted_proxies": "127.0.0.0/8"}


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    """The instance's, without what tests before left of these addresses."""
    async with redis_of_tests() as redis:
        for number in range(1, 30):
            bucket = address(number)
            named = ("block", "points", "offences", "limit:open", "limit:sign_in")
            await redis.delete(*(f"gateway:{name}:{bucket}" for name in named))
        yield redis


def address(number: int) -> str:
    """One that these tests alone use."""
    return f"198.18.77.{number}"


async def come(
    edge: World, number: int, path: str = "/v1/open", method: str = "GET", token: str | None = None
) -> Answer:
    """A request from there."""
    return await ask(edge.port, method, path, f"x-forwarded-for: {address(number)}", token=token)


async def refused(edge: World, number: int, path: str = "/v1/open") -> bool:
    """Whether it is blocked."""
    answer = await come(edge, number, path)
    return answer.status == 403 and answer.json()["type"] == "/problems/address-blocked"


async def latest(redis: Redis, bucket: str) -> blocks.Block:
    """Its last block of those that hold; tests before may have left some."""
    found = [block for block in await blocks.listing(redis) if block.bucket == bucket]
    return max(found, key=lambda block: block.id)


async def test_failed_authentications_block_an_address_at_every_process(tmp_path: Path, redis: Redis) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with (
        world(tmp_path / "a", block_points=30, **PROXY) as first,
        world(tmp_path / "b", **PROXY) as second,
    ):
        for _ in range(9):
            assert (await come(first, 1, "/v1/things", token="nonsense")).status == 401
        assert (await come(first, 1)).status == 200
        await come(first, 1, "/v1/things", token="nonsense")
        await eventually(lambda: refused(first, 1), what="blocked where it was seen")
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await refused(second, 1), "and at another process with its next request"
        assert loop.time() - began < 5
        answer = await come(second, 1)
        assert 1 <= int(answer.header("retry-after") or 0) <= 60
        good = second.token()
        assert (await come(second, 1, "/v1/things", token=good)).status == 403, "whoever calls from there"
        assert (await come(second, 2, "/v1/things", token=good)).status == 200, "but from nowhere else"
        hook = await come(second, 1, "/v1/hooks/telegram/a1", "POST")
        assert hook.status == 200, "a customer's message is not lost for what its vendor's address did"
        told = await latest(redis, address(1))
        assert (told.reason, told.offence) == ("failed_authentication", 1)


async def test_each_block_is_longer_than_the_last(start_world: StartWorld, redis: Redis) -> None:
    async with start_world(block_points=20, block_seconds=100, block_longest_seconds=1000, **PROXY) as edge:
        for offence, seconds in ((1, 100), (2, 400), (3, 1000)):
            for number in range(10):
                assert (await come(edge, 3, f"/v1/unknown-{number}")).status == 404
            await eventually(lambda: refused(edge, 3))
            block = await latest(redis, address(3))
            assert (block.offence, block.reason, round(block.until - block.since)) == (
                offence,
                "scanning",
                seconds,
            )
            assert await redis.ttl(blocks.key(address(3))) <= seconds
            await blocks.lift(redis, address(3))
        assert not await refused(edge, 3)


async def test_what_is_refused_while_blocked_is_not_held_against_it(
    start_world: StartWorld, redis: Redis
) -> None:
    async with start_world(block_points=20, **PROXY) as edge:
        await blocks.place(redis, address(4), 600, "by hand")
        for _ in range(30):
            assert await refused(edge, 4)
        await blocks.lift(redis, address(4))
        await come(edge, 4, "/v1/unknown")
        await eventually(lambda: _is(redis, f"gateway:points:{address(4)}", b"2"))
        assert not await refused(edge, 4)


async def test_an_ipv6_customer_is_one(start_world: StartWorld, redis: Redis) -> None:
    async with start_world(**PROXY) as edge:
        block = await blocks.place(redis, "2001:db8:77:1::/64", 600, "by hand")
        for host, status in (
            ("2001:db8:77:1::5", 403),
            ("2001:db8:77:1:ffff::", 403),
            ("2001:db8:77:2::5", 200),
        ):
            assert (await ask(edge.port, "GET", "/v1/open", f"x-forwarded-for: {host}")).status == status
        assert block in await blocks.listing(redis)
        await blocks.lift(redis, "2001:db8:77:1::/64")


async def test_exempt_networks_are_never_blocked(start_world: StartWorld, redis: Redis) -> None:
    async with start_world(block_points=4, exempt_networks="198.18.77.0/29", **PROXY) as edge:
        await blocks.place(redis, address(6), 600, "by hand")
        for _ in range(5):
            assert (await come(edge, 6, "/v1/unknown")).status == 404
        assert not await refused(edge, 6)
        await blocks.lift(redis, address(6))
        for _ in range(5):
            await ask(edge.port, "GET", "/v1/unknown")
        assert (await ask(edge.port, "GET", "/v1/open")).status == 200, "nor is the proxy itself"


async def test_what_is_not_http_counts_too(start_world: StartWorld, redis: Redis) -> None:
    async with start_world(block_points=10, exempt_networks="") as edge:
        await redis.delete(
            "gateway:block:127.0.0.1", "gateway:points:127.0.0.1", "gateway:offences:127.0.0.1"
        )
        try:
            for _ in range(2):
                async with connected(edge.port) as caller:
                    await caller.say(b"NONSENSE\r\n\r\n")
                    assert (await caller.answer()).status == 400

            async def blocked() -> bool:
                return (await ask(edge.port, "GET", "/v1/open")).status == 403

            await eventually(blocked)
            block = await latest(redis, "127.0.0.1")
            assert block.reason == "malformed"
        finally:
            await blocks.lift(redis, "127.0.0.1")
            await redis.delete("gateway:offences:127.0.0.1")


async def test_blocks_are_told_by_whichever_process_lives(fleet: Fleet) -> None:
    redis, spy = fleet.gateway.app.redis, fleet.gateway.spy
    assert redis is not None
    block = await blocks.place(redis, "203.0.113.9", 600, "by hand")
    blocked = await spy.expect(AddressBlocked, lambda event: event.data.block_id == block.id)
    assert (blocked.data.network, blocked.data.reason) == ("203.0.113.0/24", "by hand")
    assert "203.0.113.9" not in str(blocked), "an address says something of a person"
    await blocks.lift(redis, "203.0.113.9")
    lifted = await spy.expect(AddressUnblocked, lambda event: event.data.block_id == block.id)
    assert (lifted.data.ended_by, lifted.data.caller) == ("operator", blocked.data.caller)
    assert lifted.sequence > blocked.sequence
    short = await blocks.place(redis, "203.0.113.10", 1, "by hand")
    ended = await spy.expect(AddressUnblocked, lambda event: event.data.block_id == short.id)
    assert ended.data.ended_by == "time"
    ours = {block.id, short.id}
    assert not [block for block in await blocks.listing(redis) if block.id in ours]


def test_what_ends_badly_is_worth_points_but_for_hooks() -> None:
    operation = Operation("GET", "/v1/things", "things", public=False, limit="session")
    hook = Operation("POST", "/v1/hooks/{channel}/{account}", "things", public=True, limit="hook")
    assert worth(401, operation) == (3, "failed_authentication")
    assert worth(404, operation) == (1, "scanning")
    assert worth(404, None) == (2, "scanning")
    assert worth(431, None) == (5, "malformed")
    assert worth(429, operation) == (1, "over_limits")
    for status in (400, 409, 422, 428, 500, 502, 503):
        assert worth(status, operation) is None, "what a program may meet in its daily work"
    for status in (400, 401, 403, 404, 429):
        assert worth(status, hook) is None


async def _is(redis: Redis, key: str, value: bytes) -> bool:
    return bool(await redis.get(key) == value)

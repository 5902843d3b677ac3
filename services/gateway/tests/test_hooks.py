"""Hooks: one budget an account however it is spelt, and callers who invent accounts."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flotilla.ids import new_id
from flotilla.testing import eventually
from flotilla_gateway.limits.hooks import REJECTED, name_of
from flotilla_gateway.limits.limiter import bucket_key
from flotilla_gateway.routing import RoutingTable

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import Answer, ask
from services.gateway.tests.scripted import Request, ok
from services.gateway.tests.test_limits import redis_of_tests
from services.gateway.tests.world import DOCUMENT, World, world

TEMPLATE = "/v1/hooks/{channel}/{account}"
PROXY: dict[str, Any] = {"trusted_proxies": "127.0.0.0/8"}
PATIENT: dict[str, Any] = {"limiter_seconds": 10, **PROXY}
"""A slow machine's Redis is not taken for one that is away."""
ACCOUNT = UUID("0199d4e2-7c3b-7a10-8000-0000000000ab")
SPELLINGS = (
    str(ACCOUNT),
    str(ACCOUNT).upper(),
    ACCOUNT.hex,
    f"urn:uuid:{ACCOUNT}",
    f"%7B{ACCOUNT}%7D",
    str(ACCOUNT).replace("0", "%30"),
    "-" + "-".join(ACCOUNT.hex),
)


def address(number: int) -> str:
    """One that these tests alone use."""
    return f"198.18.78.{number}"


async def come(edge: World, number: int, account: object) -> Answer:
    """A hook from there."""
    source = f"x-forwarded-for: {address(number)}"
    return await ask(edge.port, "POST", f"/v1/hooks/telegram/{account}", source, body=b"{}")


async def fresh(*numbers: int) -> None:
    """Nothing is left of tests before."""
    async with redis_of_tests() as redis:
        for number in numbers:
            await redis.delete(bucket_key(REJECTED, f"{TEMPLATE}:{address(number)}"))


async def only(passed: Request, writer: asyncio.StreamWriter) -> None:
    """Integrations: one account is there."""
    if passed.target.endswith(str(ACCOUNT)):
        await ok(passed, writer)
    else:
        await passed.body()
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")


async def shut(edge: World, number: int) -> Answer:
    """Invent accounts until the address is refused."""
    answers: list[Answer] = []

    async def refused() -> bool:
        answers.append(await come(edge, number, new_id()))
        assert answers[-1].status in (404, 429)
        return answers[-1].status == 429

    await eventually(refused, what="refused")
    return answers[-1]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_account_has_one_name(spelling: str) -> None:
    table = RoutingTable.of(DOCUMENT)
    path = f"/v1/hooks/%74elegram/{spelling}".encode()
    operation = (table.find(path) or {})["POST"]
    assert name_of(operation, path) == f"{TEMPLATE}:telegram/{ACCOUNT}"


def test_accounts_have_names_of_their_own() -> None:
    table = RoutingTable.of(DOCUMENT)
    paths = [f"/v1/hooks/{channel}/{account}".encode() for channel in "ab" for account in ("x", "X", "y")]
    names = {name_of((table.find(path) or {})["POST"], path) for path in paths}
    assert len(names) == len(paths), "what is no UUID may well mean its capitals"


async def test_an_account_has_one_budget_however_it_is_spelt(start_world: StartWorld) -> None:
    account = new_id()
    async with start_world(limit_hook="3/3600", **PATIENT) as edge:
        spellings = (account, str(account).upper(), account.hex, f"urn:uuid:{account}")
        answers = [await come(edge, 1, each) for each in spellings]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert (await come(edge, 1, new_id())).status == 200, "another account"


async def test_who_invents_accounts_is_refused_and_accounts_that_are_there_go_on(
    start_world: StartWorld,
) -> None:
    await fresh(2, 3)
    async with start_world(limit_hook_rejected="3/3600", block_points=1, **PATIENT) as edge:
        integrations = edge.services["integrations"]
        integrations.script = only
        assert (await come(edge, 2, ACCOUNT)).status == 200
        refused = await shut(edge, 2)
        assert refused.json()["type"] == "/problems/too-many-requests"
        assert 1000 < int(refused.header("retry-after") or 0) <= 1201
        passed = len(integrations.requests)
        for _ in range(5):
            assert (await come(edge, 2, new_id())).status == 429
        assert len(integrations.requests) == passed, "none of it reaches the service"
        assert (await come(edge, 2, ACCOUNT)).status == 200, "a vendor sends for many from one address"
        assert (await come(edge, 3, new_id())).status == 404, "somebody else's mistake is their own"
        assert (await come(edge, 3, ACCOUNT)).status == 200
        open_to_all = await ask(edge.port, "GET", "/v1/open", f"x-forwarded-for: {address(2)}")
        assert open_to_all.status == 200, "nor is the address blocked for it"


async def test_what_is_rejected_counts_over_all_processes(tmp_path: Path) -> None:
    await fresh(4)
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    budget = {"limit_hook_rejected": "5/3600", **PATIENT}
    async with world(folders[0], **budget) as first, world(folders[1], **budget) as second:
        for edge in (first, second):
            edge.services["integrations"].script = only
        await shut(first, 4)
        await shut(second, 4)
        reached = sum(len(edge.services["integrations"].requests) for edge in (first, second))
        assert reached <= 12, "one budget, and what is on its way while each process hears of its end"


async def test_redis_away_refuses_no_hook(start_world: StartWorld) -> None:
    async with start_world(redis_url="redis://127.0.0.1:1/0", limit_hook_rejected="1/3600", **PROXY) as edge:
        edge.services["integrations"].script = only
        for _ in range(5):
            assert (await come(edge, 5, new_id())).status == 404
        assert (await come(edge, 5, ACCOUNT)).status == 200

"""Anonymous callers that look like machines show some work first; nobody else notices."""

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from flotilla_gateway.abuse import work
from flotilla_gateway.abuse.screen import is_tool
from flotilla_gateway.abuse.work import Work
from redis.asyncio import Redis

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import Answer, ask
from services.gateway.tests.test_limits import redis_of_tests
from services.gateway.tests.world import World

SCREENED: dict[str, Any] = {"screen": True, "screen_work": 2000, "trusted_proxies": "127.0.0.0/8"}
AGENT = "user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PATH = "/v1/sign-in"


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    """The instance's, with these addresses' budgets whole."""
    async with redis_of_tests() as redis:
        for number in range(1, 10):
            await redis.delete(
                f"gateway:limit:sign_in:198.18.78.{number}", f"gateway:block:198.18.78.{number}"
            )
        yield redis


def solve(challenge: dict[str, Any]) -> str:
    """As any client does: try them all."""
    for number in range(challenge["maxnumber"] + 1):
        if hashlib.sha256(f"{challenge['salt']}{number}".encode()).hexdigest() == challenge["challenge"]:
            break
    told = {name: challenge[name] for name in ("algorithm", "challenge", "salt", "signature")}
    return "x-proof-of-work: " + base64.b64encode(json.dumps({**told, "number": number}).encode()).decode()


async def sign_in(edge: World, number: int, *headers: str, path: str = PATH) -> Answer:
    """Try to, from an address of these tests."""
    return await ask(edge.port, "POST", path, f"x-forwarded-for: 198.18.78.{number}", *headers, body=b"{}")


def challenge_of(answer: Answer) -> dict[str, Any]:
    """What it asks."""
    assert (answer.status, answer.json()["type"]) == (428, "/problems/proof-of-work-required"), answer.body
    found: dict[str, Any] = answer.json()["challenge"]
    return found


async def test_a_browser_of_a_person_is_asked_nothing(start_world: StartWorld, redis: Redis) -> None:
    async with start_world(**SCREENED) as edge:
        for _ in range(3):
            assert (await sign_in(edge, 1, AGENT)).status == 200


async def test_a_machine_shows_its_work_once_a_request(start_world: StartWorld, redis: Redis) -> None:
    async with start_world(**SCREENED) as edge:
        challenge = challenge_of(await sign_in(edge, 2))
        assert not edge.services["auth"].requests
        solution = solve(challenge)
        assert (await sign_in(edge, 2, solution)).status == 200
        assert challenge_of(await sign_in(edge, 2, solution)) != challenge, "good once"
        for wrong in (
            solve({**challenge_of(await sign_in(edge, 2)), "signature": "0" * 64}),
            "x-proof-of-work: nonsense",
            "x-proof-of-work: " + base64.b64encode(b'{"algorithm":"SHA-256"}').decode(),
            "x-proof-of-work: " + "A" * 2000,
        ):
            challenge_of(await sign_in(edge, 2, wrong))
        elsewhere = solve(challenge_of(await sign_in(edge, 2)))
        challenge_of(await sign_in(edge, 3, elsewhere))
        assert len(edge.services["auth"].requests) == 1


async def test_it_is_for_one_route(start_world: StartWorld, redis: Redis) -> None:
    async with start_world(**SCREENED) as edge:
        solution = solve(challenge_of(await sign_in(edge, 4)))
        challenge_of(await sign_in(edge, 4, solution, path="/v1/sessions"))


async def test_half_of_an_addresss_budget_is_reason_enough(start_world: StartWorld, redis: Redis) -> None:
    async with start_world(limit_sign_in="6/600", **SCREENED) as edge:
        for _ in range(3):
            assert (await sign_in(edge, 5, AGENT)).status == 200
        challenge = challenge_of(await sign_in(edge, 5, AGENT))
        assert (await sign_in(edge, 5, AGENT, solve(challenge))).status == 200
        challenge_of(await sign_in(edge, 5, AGENT))
        assert (await sign_in(edge, 5, AGENT)).status == 429, "work buys no more than the limit gives"
        assert (await sign_in(edge, 6, AGENT)).status == 200, "another address"


async def test_a_route_that_many_hurry_to_asks_everybody(start_world: StartWorld, redis: Redis) -> None:
    async with start_world(screen_route_requests=2, **SCREENED) as edge:
        for number in (1, 2):
            assert (await sign_in(edge, number, AGENT)).status == 200
        assert (
            await sign_in(edge, 3, AGENT, solve(challenge_of(await sign_in(edge, 3, AGENT))))
        ).status == 200
        assert (await sign_in(edge, 4, AGENT, path="/v1/sessions")).status == 200, "and no other route does"


async def test_hooks_secrets_and_those_inside_are_not_screened(start_world: StartWorld, redis: Redis) -> None:
    async with start_world(**SCREENED) as edge:
        for path in ("/v1/hooks/telegram/a1", "/v1/tokens/refresh", "/v1/open"):
            assert (await sign_in(edge, 7, "user-agent: sqlmap/1.8", path=path)).status == 200, path
        token = edge.token()
        assert (await sign_in(edge, 7, f"authorization: Bearer {token}", path="/v1/things")).status == 200
        assert (await ask(edge.port, "POST", PATH, body=b"{}")).status == 200, "an exempt network"


def test_a_solution_does_not_outlive_its_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Work((b"k" * 32,), 1000)
    challenge = made.ask("198.51.100.1", PATH)
    builtin = {name: getattr(challenge, name) for name in challenge.__struct_fields__}
    solution = solve(builtin).partition(" ")[2].encode()
    assert made.solved(solution, "198.51.100.1", PATH)
    assert made.solved(solution, "198.51.100.2", PATH) is None
    assert made.solved(solution, "198.51.100.1", "/v1/sign-up") is None
    assert Work((b"x" * 32,), 1000).solved(solution, "198.51.100.1", PATH) is None
    later = time.time() + work.LIFETIME_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert made.solved(solution, "198.51.100.1", PATH) is None


@pytest.mark.parametrize(
    ("agent", "tool"),
    [
        (b"", True),
        (b"  ", True),
        (b"sqlmap/1.8#stable (https://sqlmap.org)", True),
        (b"Mozilla/5.00 (Nikto/2.5.0)", True),
        (b"Mozilla/5.0 (compatible; Nmap Scripting Engine)", True),
        (b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130 Safari/537.36", False),
        (b"curl/8.5.0", False),
        (b"python-httpx/0.27", False),
    ],
)
def test_agents(agent: bytes, tool: bool) -> None:
    assert is_tool(agent) is tool

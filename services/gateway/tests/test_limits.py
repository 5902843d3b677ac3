"""Budgets: exact, one for all gateway processes, and what happens while Redis is down."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.security.revocations import key as revocation_key
from flotilla.testing import eventually
from flotilla.testing.ports import free_port
from flotilla_gateway.limits.limiter import LimitClass, Limiter, Verdict
from flotilla_gateway.limits.pipe import RedisDownError, RedisPipe
from redis.asyncio import Redis

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import ask
from services.gateway.tests.world import World


async def test_a_persons_budget_is_theirs_over_all_sessions(start_world: StartWorld) -> None:
    person = {"sub": str(new_id()), "org": str(new_id())}
    async with start_world(limit_session="3/60") as edge:
        first, second = edge.token(**person), edge.token(**person)
        answers = [await ask(edge.port, "GET", "/v1/things", token=token) for token in (first, second, first)]
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert [answer.header("ratelimit") for answer in answers] == [
            '"session";r=2;t=20',
            '"session";r=1;t=40',
            '"session";r=0;t=60',
        ]
        assert answers[0].header("ratelimit-policy") == '"session";q=3;w=60'
        refused = await ask(edge.port, "GET", "/v1/things", token=second)
        assert (refused.status, refused.json()["type"]) == (429, "/problems/too-many-requests")
        assert 19 <= int(refused.header("retry-after") or 0) <= 20
        assert refused.header("ratelimit") is not None
        assert len(edge.things.requests) == 3
        assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200, "somebody else"


async def test_budgets_of_addresses_and_accounts(start_world: StartWorld) -> None:
    address, other = "x-forwarded-for: 198.18.0.1", "x-forwarded-for: 198.18.0.2"
    account = f"/v1/hooks/telegram/{new_id()}"
    limits = {"limit_sign_in": "2/60", "limit_open": "2/60", "limit_hook": "3/60"}
    async with start_world(trusted_proxies="127.0.0.0/8", **limits) as edge:
        async with redis_of_tests() as redis:
            for name in ("sign_in:198.18.0.1", "open:198.18.0.1", "sign_in:198.18.0.2"):
                await redis.delete(f"gateway:limit:{name}")
        for path, allowed, source in (
            ("/v1/sessions", 2, address),
            ("/v1/open", 2, address),
            (account, 3, address),
            (f"{account}x", 3, address),
        ):
            answers = [await ask(edge.port, "POST", path, source, body=b"{}") for _ in range(allowed + 1)]
            assert [answer.status for answer in answers] == [200] * allowed + [429], path
        assert (await ask(edge.port, "POST", "/v1/sessions", other, body=b"{}")).status == 200
        assert (await ask(edge.port, "POST", account, other, body=b"{}")).status == 429, (
            "by account, not address"
        )


async def test_rejected_tokens_count_by_address(start_world: StartWorld) -> None:
    address = "x-forwarded-for: 198.18.1.1"
    async with start_world(trusted_proxies="127.0.0.0/8", limit_open="3/60") as edge:
        async with redis_of_tests() as redis:
            await redis.delete("gateway:limit:open:198.18.1.1")
        answers = [await ask(edge.port, "GET", "/v1/things", address, token="guess") for _ in range(4)]
        assert [answer.status for answer in answers] == [401, 401, 401, 429]
        assert (await ask(edge.port, "GET", "/v1/things", address, token=edge.token())).status == 200


async def test_a_revoked_session_is_refused_by_the_same_script(edge: World) -> None:
    session = str(new_id())
    token = edge.token(sid=session)
    assert (await ask(edge.port, "GET", "/v1/things", token=token)).status == 200
    async with redis_of_tests() as redis:
        await redis.set(revocation_key(session), b"1", ex=60)
    refused = await ask(edge.port, "GET", "/v1/things", token=token)
    assert (refused.status, refused.json()["type"]) == (401, "/problems/unauthorized")
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200


async def test_a_budget_comes_back_evenly() -> None:
    async with pipe() as asked:
        limiter = Limiter(asked, {"session": LimitClass("session", 10, 20)})
        name = str(new_id())
        decisions = [await limiter.decide("session", name) for _ in range(11)]
        assert [decision.verdict for decision in decisions] == [Verdict.ALLOWED] * 10 + [Verdict.LIMITED]

        async def allowed_again() -> bool:
            return (await limiter.decide("session", name)).verdict is Verdict.ALLOWED

        await eventually(allowed_again)


CROWD = """
import asyncio, json, sys
from flotilla_gateway.limits.limiter import LimitClass, Limiter, Verdict
from flotilla_gateway.limits.pipe import RedisPipe

async def main(url, name, asks):
    pipe = RedisPipe(url, 5)
    await pipe.open()
    limiter = Limiter(pipe, {"session": LimitClass("session", 500, 3600)})
    sys.stdin.readline()
    decisions = await asyncio.gather(*(limiter.decide("session", name) for _ in range(asks)))
    print(json.dumps([sum(each.verdict is verdict for each in decisions) for verdict in Verdict]))
    await pipe.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def test_exact_under_two_processes_at_once() -> None:
    url, name = Instance.load("test").redis_url, str(new_id())
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            CROWD,
            url,
            name,
            "400",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    allowed, limited, *others = (
        sum(each) for each in zip(*(json.loads(out) for out, _ in outputs), strict=True)
    )
    assert (allowed, limited, sum(others)) == (500, 300, 0)


async def test_redis_away(start_world: StartWorld) -> None:
    hook = f"/v1/hooks/telegram/{new_id()}"
    async with start_world(redis_url="redis://127.0.0.1:1/0") as edge:
        assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200
        assert (await ask(edge.port, "POST", hook, body=b"{}")).status == 200
        closed = await ask(edge.port, "POST", "/v1/sessions", body=b"{}")
        assert (closed.status, closed.json()["type"]) == (503, "/problems/unavailable")
        assert closed.header("retry-after") == "5"


async def test_a_redis_that_hangs_is_as_good_as_down(start_world: StartWorld) -> None:
    asked: list[bytes] = []

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Says OK to the connection's first commands, and nothing to the script."""
        while data := await reader.read(65_536):
            asked.append(data)
            if b"SELECT" in data:
                writer.write(b"+OK\r\n")
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, start_world(redis_url=f"redis://127.0.0.1:{port}/0", limiter_seconds=0.1) as edge:
        assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200
        assert (await ask(edge.port, "POST", "/v1/sessions", body=b"{}")).status == 503
    assert any(b"EVALSHA" in data for data in asked)


async def test_redis_that_comes_back(tmp_path: Path) -> None:
    port = free_port()
    asked = RedisPipe(f"redis://127.0.0.1:{port}/0", 0.5)
    await asked.open()
    server = await _redis(tmp_path, port)
    try:
        await eventually(lambda: _answers(asked), what="connected although Redis came later")
        server.kill()
        await server.wait()
        with pytest.raises(RedisDownError):
            await asked.ask("PING")
        server = await _redis(tmp_path, port)
        await eventually(lambda: _answers(asked), what="connected again")
        limiter = Limiter(asked, {"open": LimitClass("open", 2, 60)})
        assert (await limiter.decide("open", "x")).verdict is Verdict.ALLOWED, "the script is loaded again"
    finally:
        await asked.close()
        server.kill()
        await server.wait()


async def _redis(folder: Path, port: int) -> asyncio.subprocess.Process:
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)


async def _answers(asked: RedisPipe) -> bool:
    try:
        return await asked.ask("PING") in (b"PONG", "PONG")
    except RedisDownError:
        return False


def redis_of_tests() -> Redis:
    """The test instance's Redis, as the fleet's client speaks to it."""
    return Redis.from_url(Instance.load("test").redis_url)


class pipe:  # noqa: N801 - reads as what it gives
    """`async with pipe() as asked:` a pipe to the test instance's Redis."""

    async def __aenter__(self) -> RedisPipe:
        self._pipe = RedisPipe(Instance.load("test").redis_url, 1)
        await self._pipe.open()
        return self._pipe

    async def __aexit__(self, *_: object) -> None:
        await self._pipe.close()

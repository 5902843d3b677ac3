"""Budgets within budgets: one program's share of its organization's, and dear routes' of whoever asks."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flotilla.features import API_REQUESTS
from flotilla.ids import new_id
from flotilla_gateway.limits.limiter import LimitClass, Limiter, Question, Verdict

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import Answer, ask
from services.gateway.tests.test_limits import pipe
from services.gateway.tests.test_programs import entitled, known, new_key
from services.gateway.tests.world import World

PATIENT = {"limiter_seconds": 10}
"""A slow machine's Redis is not taken for one that is away."""


def keyed(edge: World, org: UUID, keys: int, requests: int) -> list[str]:
    """Keys of an organization whose plan allows them so many requests an hour."""
    made = [new_key() for _ in range(keys)]
    edge.gateway.api_keys.learn([known(key, organization_id=org) for key in made])
    edge.gateway.entitlements.learn([org], [entitled(org, API_REQUESTS, usage_limit=requests)])
    return made


async def statuses(edge: World, token: str, times: int, path: str = "/v1/things") -> list[int]:
    """So many requests, one after the other."""
    return [(await ask(edge.port, "GET", path, token=token)).status for _ in range(times)]


async def test_a_program_that_runs_wild_leaves_half_to_the_others(start_world: StartWorld) -> None:
    async with start_world(**PATIENT) as edge:
        wild, calm = keyed(edge, new_id(), 2, 10)
        assert await statuses(edge, wild, 8) == [200] * 5 + [429] * 3
        assert await statuses(edge, calm, 5) == [200] * 5
        assert await statuses(edge, calm, 1) == [429], "the organization's own budget holds"


async def test_what_is_said_of_both_budgets(start_world: StartWorld) -> None:
    async with start_world(**PATIENT) as edge:
        one, other = keyed(edge, new_id(), 2, 9)
        answer = await ask(edge.port, "GET", "/v1/things", token=one)
        assert answer.header("ratelimit-policy") == '"api";q=9;w=3600, "key";q=5;w=3600'
        assert _remaining(answer) == {"api": 8, "key": 4}
        answer = await ask(edge.port, "GET", "/v1/things", token=other)
        assert _remaining(answer) == {"api": 7, "key": 4}
        assert await statuses(edge, one, 4) == [200] * 4
        refused = await ask(edge.port, "GET", "/v1/things", token=one)
        assert refused.status == 429
        assert _remaining(refused) == {"api": 3, "key": 0}, "what is refused counts in neither"
        assert 600 < int(refused.header("retry-after") or 0) <= 720, (
            "the share comes back every twelfth minute"
        )


async def test_a_program_alone_has_all_of_its_plan(start_world: StartWorld) -> None:
    async with start_world(**PATIENT) as edge:
        org = new_id()
        (alone,) = keyed(edge, org, 1, 6)
        gone = [known(new_key(), organization_id=org, **fields) for fields in GONE]
        edge.gateway.api_keys.learn(gone)
        edge.gateway.api_keys.learn([known(new_key())])
        assert await statuses(edge, alone, 7) == [200] * 6 + [429]


GONE = ({"revoked": True}, {"expires_at": datetime.now(UTC) - timedelta(hours=1)})


async def test_a_key_with_a_limit_of_its_own(start_world: StartWorld) -> None:
    async with start_world(**PATIENT) as edge:
        org, limited = new_id(), new_key()
        edge.gateway.api_keys.learn([known(limited, organization_id=org, requests_per_hour=2)])
        edge.gateway.entitlements.learn([org], [entitled(org, API_REQUESTS, usage_limit=8)])
        first = await ask(edge.port, "GET", "/v1/things", token=limited)
        assert first.header("ratelimit-policy") == '"api";q=8;w=3600, "key";q=2;w=3600', "also alone"
        assert await statuses(edge, limited, 2) == [200, 429]
        (other,) = keyed(edge, org, 1, 8)
        answer = await ask(edge.port, "GET", "/v1/things", token=other)
        assert answer.header("ratelimit-policy") == '"api";q=8;w=3600, "key";q=4;w=3600', "a share as ever"
        assert await statuses(edge, limited, 1) == [429], "another program changes nothing of it"


async def test_no_key_has_more_than_its_plan_whatever_its_limit(start_world: StartWorld) -> None:
    async with start_world(**PATIENT) as edge:
        org, key = new_id(), new_key()
        edge.gateway.api_keys.learn([known(key, organization_id=org, requests_per_hour=50)])
        edge.gateway.entitlements.learn([org], [entitled(org, API_REQUESTS, usage_limit=3)])
        answer = await ask(edge.port, "GET", "/v1/things", token=key)
        assert answer.header("ratelimit-policy") == '"api";q=3;w=3600'
        assert await statuses(edge, key, 3) == [200, 200, 429]
        keyed(edge, org, 1, 20)
        answer = await ask(edge.port, "GET", "/v1/things", token=key)
        assert answer.header("ratelimit-policy") == '"api";q=20;w=3600, "key";q=10;w=3600', (
            "its share is less"
        )
        edge.gateway.entitlements.learn([org], [entitled(org, API_REQUESTS, usage_limit=1000)])
        answer = await ask(edge.port, "GET", "/v1/things", token=key)
        assert answer.header("ratelimit-policy") == '"api";q=1000;w=3600, "key";q=50;w=3600'


async def test_clients_have_shares_too(start_world: StartWorld) -> None:
    async with start_world(**PATIENT) as edge:
        org = new_id()
        edge.gateway.entitlements.learn([org], [entitled(org, API_REQUESTS, usage_limit=10)])
        wild, calm = (edge.token(org=str(org), scope="things:read") for _ in range(2))
        assert await statuses(edge, calm, 1) == [200]
        assert await statuses(edge, wild, 6) == [200] * 5 + [429]
        assert await statuses(edge, calm, 1) == [200]


async def test_dear_routes_have_a_budget_within_the_persons(start_world: StartWorld) -> None:
    async with start_world(limit_dear="2/3600", limit_session="4/3600", **PATIENT) as edge:
        token = edge.token()
        answer = await ask(edge.port, "GET", "/v1/search", token=token)
        assert answer.header("ratelimit-policy") == '"session";q=4;w=3600, "dear";q=2;w=3600'
        assert await statuses(edge, token, 2, "/v1/search") == [200, 429]
        assert await statuses(edge, token, 3) == [200, 200, 429], "a search counts as any request does"
        assert await statuses(edge, edge.token(), 1, "/v1/search") == [200], "somebody else"


async def test_programs_share_what_is_dear(start_world: StartWorld) -> None:
    async with start_world(limit_dear="2/3600", **PATIENT) as edge:
        one, other = keyed(edge, new_id(), 2, 100)
        assert await statuses(edge, one, 1, "/v1/search") == [200]
        assert await statuses(edge, other, 2, "/v1/search") == [200, 429]
        assert await statuses(edge, other, 1) == [200]


@pytest.mark.parametrize("tight", [0, 1, 2])
async def test_the_tightest_of_several_decides_and_nothing_counts_in_the_others(tight: int) -> None:
    classes = [LimitClass(name, 2 if at == tight else 5, 3600) for at, name in enumerate("abc")]
    async with pipe() as asked:
        limiter = Limiter(asked, {})
        names = [str(new_id()) for _ in classes]
        (first, name), *further = zip(classes, names, strict=True)
        question = Question(first, name, further=tuple(further))
        verdicts = [(await limiter.answer(question)).verdict for _ in range(4)]
        assert verdicts == [Verdict.ALLOWED] * 2 + [Verdict.LIMITED] * 2
        for at, (budget, whose) in enumerate(zip(classes, names, strict=True)):
            decision = await limiter.answer(Question(budget, whose))
            left = 2 if at != tight else 0
            assert decision.remaining == left, "three were left, and this one was just asked for"


def _remaining(answer: Answer) -> dict[str, int]:
    """By budget, what `RateLimit` says is left."""
    said = [item.split(";") for item in (answer.header("ratelimit") or "").split(", ")]
    return {name.strip('"'): int(left.removeprefix("r=")) for name, left, _ in said}

"""Programs: API keys found by their hashes, budgets by plan, features that a plan has or has not."""

import asyncio
import hashlib
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flotilla.features import API_REQUESTS
from flotilla.ids import new_id
from flotilla.security.revocations import key as revocation_key
from flotilla.testing.clock import same_hour
from flotilla_gateway.trust.records import Entitled, KnownKey

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import ask
from services.gateway.tests.test_limits import redis_of_tests
from services.gateway.tests.test_tunnels import live, opening
from services.gateway.tests.world import World


def known(key: str, **fields: Any) -> KnownKey:
    """What the gateway knows of a key."""
    given: dict[str, Any] = {
        "api_key_id": new_id(),
        "organization_id": new_id(),
        "verifier": hashlib.sha256(key.encode()).digest(),
        "scopes": ("things:read",),
        "role": "admin",
        "created_by": new_id(),
        "expires_at": None,
        "revoked": False,
    }
    return KnownKey(**given | fields)


def entitled(org: UUID, feature: str, **fields: Any) -> Entitled:
    """What it knows of a feature."""
    given: dict[str, Any] = {"enabled": True, "usage_limit": None, "used_up": False, "period_ends_at": None}
    return Entitled(org, feature, **given | fields)


def new_key() -> str:
    """One as auth makes them."""
    return "flt_" + secrets.token_urlsafe(32)


async def test_a_key_becomes_a_principal_with_its_scopes_and_goes_no_further(edge: World) -> None:
    key = new_key()
    told = known(key)
    edge.gateway.api_keys.learn([told])
    for headers, token in ((["x-api-key: " + key], None), ([], key)):
        assert (await ask(edge.port, "GET", "/v1/things", *headers, token=token)).status == 200
        principal = edge.principal()
        assert (principal.org, principal.scopes) == (told.organization_id, ("things:read",))
        assert principal.actor == f"api_key:{told.api_key_id}"
        assert not principal.may("contacts:read"), "admins may, this key may not"
        assert principal.user_id == told.created_by
        assert key not in str(edge.things.requests[-1])


async def test_keys_that_are_not_good(edge: World, monkeypatch: pytest.MonkeyPatch) -> None:
    expiring, revoked = new_key(), new_key()
    ends = datetime.now(UTC) + timedelta(hours=1)
    edge.gateway.api_keys.learn([known(expiring, expires_at=ends), known(revoked, revoked=True)])
    for key, status in ((expiring, 200), (revoked, 401), (new_key(), 401), ("flt_" + "x" * 500, 401)):
        answer = await ask(edge.port, "GET", "/v1/things", token=key)
        assert answer.status == status, answer.body
    monkeypatch.setattr(edge.gateway.api_keys, "_now", lambda: time.time() + 3601)
    assert (await ask(edge.port, "GET", "/v1/things", token=expiring)).status == 401


async def test_a_revoked_key_is_refused_by_the_limits_own_round_trip(edge: World) -> None:
    key = new_key()
    told = known(key)
    edge.gateway.api_keys.learn([told])
    assert (await ask(edge.port, "GET", "/v1/things", token=key)).status == 200
    async with redis_of_tests() as redis:
        await redis.set(revocation_key(str(told.api_key_id)), b"1", ex=60)
    refused = await ask(edge.port, "GET", "/v1/things", token=key)
    assert (refused.status, refused.json()["type"]) == (401, "/problems/unauthorized")


async def test_a_plan_says_how_much_all_of_its_programs_may_ask(edge: World) -> None:
    org, keys = new_id(), [new_key(), new_key()]
    edge.gateway.api_keys.learn([known(key, organization_id=org) for key in keys])

    async def asked(limit: int) -> list[int]:
        edge.gateway.entitlements.learn([org], [entitled(org, API_REQUESTS, usage_limit=limit)])
        answers = [await ask(edge.port, "GET", "/v1/things", token=key) for key in (keys * 3)[: limit + 1]]
        policy = f'"api";q={limit};w=3600, "key";q={(limit + 1) // 2};w=3600'
        assert {answer.header("ratelimit-policy") for answer in answers} == {policy}
        assert 0 < int(answers[-1].header("retry-after") or 0) <= 3600 / limit
        return [answer.status for answer in answers]

    assert await asked(3) == [200, 200, 200, 429]
    assert await asked(5) == [200] * 5 + [429], (
        "what was used up of a smaller plan does not count in a larger"
    )
    assert await asked(3) == [429] * 4, "and is not given back"
    person = edge.token(org=str(org))
    assert (await ask(edge.port, "GET", "/v1/things", token=person)).status == 200, "people have their own"
    hook = f"/v1/hooks/telegram/{new_id()}"
    assert (await ask(edge.port, "POST", hook, body=b"{}")).status == 200, (
        "no plan refuses a customer's message"
    )


async def test_an_organization_that_billing_has_not_spoken_of(start_world: StartWorld) -> None:
    async with start_world(limit_api="2/3600") as edge:
        key = new_key()
        edge.gateway.api_keys.learn([known(key)])
        answers = [await ask(edge.port, "GET", "/v1/things", token=key) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
    async with start_world(redis_url="redis://127.0.0.1:1/0") as edge:
        edge.gateway.api_keys.learn([known(key)])
        assert (await ask(edge.port, "GET", "/v1/things", token=key)).status == 200, "Redis is down"


async def test_a_feature_closes_the_routes_that_use_it_and_no_others(edge: World) -> None:
    org = new_id()
    token, other = edge.token(org=str(org)), edge.token()
    renewed = datetime.now(UTC) + timedelta(days=3)
    cases = (
        ({"enabled": False}, 403, "/problems/feature-not-included", "GET /v1/plans"),
        ({"used_up": True}, 402, "/problems/limit-reached", "PUT /v1/subscription"),
        ({"used_up": True, "period_ends_at": renewed}, 402, "/problems/limit-reached", f"{renewed:%Y-%m-%d}"),
    )
    for fields, status, problem, advice in cases:
        edge.gateway.entitlements.learn([org], [entitled(org, "campaigns", **fields)])
        refused = await ask(edge.port, "POST", "/v1/metered", token=token, body=b"{}")
        assert (refused.status, refused.json()["type"]) == (status, problem)
        assert advice in refused.json()["detail"]
        assert refused.json()["feature"] == "campaigns"
        assert (await ask(edge.port, "GET", "/v1/metered", token=token)).status == 200, "what is there stays"
        assert (await ask(edge.port, "POST", "/v1/things", token=token, body=b"{}")).status == 200
        assert (await ask(edge.port, "POST", "/v1/metered", token=other, body=b"{}")).status == 200
    over = datetime.now(UTC) - timedelta(seconds=1)
    for rows in ([entitled(org, "campaigns", used_up=True, period_ends_at=over)], []):
        edge.gateway.entitlements.learn([org], rows)
        assert (await ask(edge.port, "POST", "/v1/metered", token=token, body=b"{}")).status == 200


async def test_a_use_is_told_once_an_hour(edge: World) -> None:
    await same_hour()
    key = new_key()
    told = known(key)
    edge.gateway.api_keys.learn([told])
    for _ in range(3):
        await ask(edge.port, "GET", "/v1/things", token=key)
    ((org, id_, hour),) = edge.gateway.api_keys.take_used()
    assert (org, id_) == (told.organization_id, told.api_key_id)
    assert timedelta() <= datetime.now(UTC) - hour < timedelta(hours=1)
    assert edge.gateway.api_keys.take_used() == []


async def test_a_programs_socket_closes_with_its_key(tmp_path: Path) -> None:
    key, other = new_key(), new_key()
    told = known(key)
    async with live(tmp_path) as (edge, _):
        edge.gateway.api_keys.learn([told, known(other)])
        async with (
            opening(edge, additional_headers={"x-api-key": key}) as socket,
            opening(edge, additional_headers={"x-api-key": other}) as open_still,
        ):
            await socket.send("hello")
            assert await socket.recv() == "hello"
            edge.gateway.api_keys.learn([known(key, api_key_id=told.api_key_id, revoked=True)])
            async with asyncio.timeout(10):
                await socket.wait_closed()
            await open_still.send("hello")
            assert await open_still.recv() == "hello"


async def test_a_clients_token_becomes_a_principal_with_its_scopes(edge: World) -> None:
    org, client, maker = new_id(), new_id(), new_id()
    token = edge.token(org=str(org), sid=str(client), sub=str(maker), role="admin", scope="things:read")
    answer = await ask(edge.port, "GET", "/v1/things", token=token)
    assert answer.status == 200, answer.body
    principal = edge.principal()
    assert (principal.actor, principal.user_id) == (f"oauth_client:{client}", maker)
    assert principal.scopes == ("things:read",)
    assert not principal.may("contacts:read"), "admins may, this client may not"
    assert not principal.authenticated_within(10**9), "nothing that takes a recent proof"
    policy = answer.header("ratelimit-policy") or ""
    assert policy.startswith('"api";'), "counted with the other programs of its organization"
    none = edge.token(org=str(org), sid=str(client), sub=str(maker), role="owner", scope="")
    assert (await ask(edge.port, "GET", "/v1/things", token=none)).status == 200
    assert edge.principal().scopes == ()


async def test_a_persons_token_says_when_and_by_what_they_proved_who_they_are(edge: World) -> None:
    now = int(time.time())
    assert (
        await ask(edge.port, "GET", "/v1/things", token=edge.token(auth_time=now, acr="aal2"))
    ).status == 200
    principal = edge.principal()
    assert (principal.authenticated_at, principal.factors) == (now, 2)
    assert principal.authenticated_within(60)
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200
    assert not edge.principal().authenticated_within(10**6), "an old token says nothing of it"

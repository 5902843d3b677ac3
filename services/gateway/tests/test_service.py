"""The whole service on its stores: what events teach it, its own pages, its own part of the API."""

import gzip
import hashlib
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.auth import (
    ApiKeyCreated,
    ApiKeyRevoked,
    OrganizationUpdated,
    SessionEnded,
    SigningKeyRotated,
    UserDeactivated,
    UserUpdated,
)
from flotilla.events.billing import EntitlementChanged, UsageLimitReached
from flotilla.events.gateway import ApiKeyUsed
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_gateway.limits.limiter import revocation_key
from flotilla_gateway.service import forget_ended_sessions, note_used_keys
from flotilla_gateway.settings import GatewaySettings

from services.gateway.tests.raw import Answer, ask
from services.gateway.tests.scripted import ScriptedService, scripted
from services.gateway.tests.test_programs import new_key
from services.gateway.tests.world import DOCUMENT, SigningKey

KEY_SET = UUID("0199d4e2-0000-7000-8000-000000000001")


REVOKED: dict[str, Any] = {"revoked_at": datetime.now(UTC), "reason": "revoked"}


def api_key(key: str) -> dict[str, Any]:
    """What auth tells of a key."""
    return {
        "api_key_id": new_id(),
        "name": "ERP",
        "scopes": ["things:read", "things:write"],
        "role": "admin",
        "created_by": new_id(),
        "expires_at": None,
        "verifier": hashlib.sha256(key.encode()).hexdigest(),
    }


def entitlement(feature: str, **fields: Any) -> dict[str, Any]:
    """What billing tells of a feature."""
    now = datetime.now(UTC)
    given = {"limit": None, "used": 0, "beyond": "block", "enabled": True, **fields}
    period = {"period_started_at": now, "period_ends_at": now + timedelta(days=30)}
    return {"entitlement_id": new_id(), "feature": feature, **given, **period}


class Fleet:
    """A gateway service, one service behind it, and auth's key."""

    def __init__(self, gateway: Harness, things: ScriptedService, key: SigningKey) -> None:
        self.gateway = gateway
        self.things = things
        self.key = key
        self.port = int(gateway.base_url.rpartition(":")[2])

    async def ask(self, token: str, path: str = "/v1/things") -> Answer:
        """One request."""
        return await ask(self.port, "GET", path, token=token)

    async def rotated(self, *keys: SigningKey, sequence: int) -> None:
        """Auth tells its keys, and the gateway has heard."""
        told = SigningKeyRotated(key_set_id=KEY_SET, keys=[key.public() for key in keys])
        await self.gateway.publish(told, org=PLATFORM_ORG, sequence=sequence)

    async def posts(self, status: int, token: str) -> None:
        """Wait until what takes a feature is answered with that."""

        async def asked() -> bool:
            return (await ask(self.port, "POST", "/v1/metered", token=token, body=b"{}")).status == status

        await eventually(asked)

    async def becomes(self, status: int, token: str) -> None:
        """Wait until the gateway answers that."""

        async def asked() -> bool:
            answer = await self.ask(token)
            assert answer.status == status, answer.body
            return True

        await eventually(asked)


@pytest.fixture(scope="session")
async def fleet(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Fleet]:
    """One for all tests here: each has people and organizations of its own."""
    document: Path = tmp_path_factory.mktemp("gateway") / "openapi.json"
    own: dict[str, Any] = {"x-service": "gateway", "x-permission": "parked:read", "x-rate-limit": "session"}
    paths = {**DOCUMENT["paths"], "/v1/parked/gateway": {"get": own}}
    document.write_text(json.dumps({**DOCUMENT, "paths": paths}))
    key = SigningKey("first")
    async with scripted() as things:
        upstreams = f"things=http://127.0.0.1:{things.port}"
        settings = {"openapi_file": document, "upstreams": upstreams, "limit_open": "1000000/1"}
        async with start_service("gateway", **settings) as gateway:
            started = Fleet(gateway, things, key)
            assert (await ask(started.port, "GET", "/readyz")).status == 503, "auth has told no key yet"
            await started.rotated(key, sequence=1)
            await started.becomes(200, key.token())
            yield started


async def test_keys_come_by_event_and_rotate(fleet: Fleet) -> None:
    second = SigningKey("second")
    await fleet.rotated(second, fleet.key, sequence=2)
    await fleet.becomes(200, second.token())
    assert (await fleet.ask(fleet.key.token())).status == 200, "both are good"

    await fleet.rotated(SigningKey("stale"), sequence=1)
    await fleet.rotated(fleet.key, sequence=3)
    await fleet.becomes(401, second.token())
    assert (await fleet.ask(fleet.key.token())).status == 200


async def test_an_ended_session_is_refused_in_memory_and_in_redis(fleet: Fleet) -> None:
    session, user, org = new_id(), new_id(), new_id()
    token = fleet.key.token(sid=str(session), sub=str(user), org=str(org))
    assert (await fleet.ask(token)).status == 200

    ended = SessionEnded(session_id=session, user_id=user, reason="revoked", ended_at=datetime.now(UTC))
    await fleet.gateway.publish(ended, org=org)
    await fleet.becomes(401, token)

    app = fleet.gateway.app
    assert app.redis is not None
    assert 0 < await app.redis.ttl(revocation_key(str(session))) <= 17 * 60

    async def remembered() -> bool:
        return bool(app.own.standing.has_ended(session))

    await eventually(remembered)
    await app.redis.delete(revocation_key(str(session)))
    assert (await fleet.ask(token)).status == 401, "also where Redis has lost it"


async def test_a_suspended_organization_and_its_return(fleet: Fleet) -> None:
    org = new_id()
    token, other = fleet.key.token(org=str(org)), fleet.key.token()
    for sequence, state, status in ((2, "suspended", 403), (3, "active", 200)):
        await fleet.gateway.publish(organization(org, state), org=org, sequence=sequence)
        await fleet.becomes(status, token)
        assert (await fleet.ask(other)).status == 200
    await fleet.gateway.publish(organization(org, "suspended"), org=org, sequence=4)
    await fleet.becomes(403, token)
    assert (await fleet.ask(token)).json()["type"] == "/problems/organization-suspended"
    assert (await fleet.ask(fleet.key.token(org=str(org)))).status == 403, "new tokens too"


async def test_a_role_that_changed_counts_at_once(fleet: Fleet) -> None:
    org, user = new_id(), new_id()
    token = fleet.key.token(org=str(org), sub=str(user), role="admin")
    assert (await fleet.ask(token)).status == 200
    told = UserUpdated(user_id=user, email=None, name=None, role="viewer", locale="en", state="active")
    await fleet.gateway.publish(told, org=org, sequence=5)

    async def demoted() -> bool:
        await fleet.ask(token)
        header = fleet.things.requests[-1].header("flotilla-principal")
        return fleet.gateway.app.principals.verify(header or "").role == "viewer"

    await eventually(demoted)


async def test_somebody_who_left(fleet: Fleet) -> None:
    org, user = new_id(), new_id()
    token = fleet.key.token(org=str(org), sub=str(user))
    assert (await fleet.ask(token)).status == 200
    told = UserDeactivated(
        user_id=user, email=None, name=None, role="viewer", locale="en", state="deactivated"
    )
    await fleet.gateway.publish(told, org=org, sequence=2)
    await fleet.becomes(401, token)
    elsewhere = fleet.key.token(sub=str(user))
    assert (await fleet.ask(elsewhere)).status == 200, "still a member of another organization"


async def test_another_process_knows_it_all_from_the_tables(
    fleet: Fleet, start_service: StartService
) -> None:
    session, org = new_id(), new_id()
    token = fleet.key.token(sid=str(session), org=str(org))
    settings = fleet.gateway.app.settings
    assert isinstance(settings, GatewaySettings)
    shared = {"openapi_file": settings.openapi_file, "upstreams": settings.upstreams}
    async with start_service("gateway", instance=fleet.gateway.instance, **shared) as second:
        replica = Fleet(second, fleet.things, fleet.key)
        await replica.becomes(200, token)
        ended = SessionEnded(
            session_id=session, user_id=new_id(), reason="revoked", ended_at=datetime.now(UTC)
        )
        await fleet.gateway.publish(ended, org=org)
        await replica.becomes(401, token)
        await fleet.becomes(401, token)


async def test_a_key_comes_and_goes_by_event_in_every_process(
    fleet: Fleet, start_service: StartService
) -> None:
    org, key, other = new_id(), new_key(), new_key()
    created, unwanted = api_key(key), api_key(other)
    settings = fleet.gateway.app.settings
    assert isinstance(settings, GatewaySettings)
    shared = {"openapi_file": settings.openapi_file, "upstreams": settings.upstreams}
    async with start_service("gateway", instance=fleet.gateway.instance, **shared) as second:
        replica = Fleet(second, fleet.things, fleet.key)
        await fleet.gateway.publish(ApiKeyRevoked(**unwanted, **REVOKED), org=org, sequence=2)
        await fleet.gateway.publish(ApiKeyCreated(**unwanted), org=org, sequence=1)  # late
        await fleet.gateway.publish(ApiKeyCreated(**created), org=org, sequence=1)
        await fleet.becomes(200, key)
        await replica.becomes(200, key)
        assert (await fleet.ask(other)).status == 401

        await note_used_keys(second.app)
        await note_used_keys(fleet.gateway.app)
        used = await fleet.gateway.spy.expect(ApiKeyUsed, lambda event: event.org == org)
        assert (used.data.api_key_id, used.data.used_at.minute) == (created["api_key_id"], 0)
        assert used.sequence == int(used.data.used_at.timestamp()) // 3600

        began = time.monotonic()
        await fleet.gateway.publish(ApiKeyRevoked(**created, **REVOKED), org=org, sequence=2)
        await replica.becomes(401, key)
        await fleet.becomes(401, key)
        assert time.monotonic() - began < 1
    app = fleet.gateway.app
    assert app.redis is not None
    assert await app.redis.ttl(revocation_key(str(created["api_key_id"]))) > 0
    assert len(fleet.gateway.spy.of(ApiKeyUsed, org)) == 1, "two processes told of it once"


async def test_plans_come_by_event(fleet: Fleet) -> None:
    org, key = new_id(), new_key()
    await fleet.gateway.publish(ApiKeyCreated(**api_key(key)), org=org, sequence=1)
    person = fleet.key.token(org=str(org))
    requests, campaigns = entitlement("api_requests", limit=1000), entitlement("campaigns", limit=10)
    await fleet.gateway.publish(EntitlementChanged(**requests), org=org, sequence=2)
    await fleet.gateway.publish(
        EntitlementChanged(**requests | {"limit": 100}), org=org, sequence=1
    )  # of an earlier plan, late
    full = campaigns | {"used": 10, "percent": 100, "blocked": True, "resets": False}
    await fleet.gateway.publish(UsageLimitReached(**full), org=org, sequence=3)

    async def allowed() -> bool:
        answer = await fleet.ask(key)
        return answer.header("ratelimit-policy") == '"api";q=1000;w=3600'

    await eventually(allowed, what="the plan's budget")
    await fleet.posts(402, person)
    await fleet.gateway.publish(EntitlementChanged(**campaigns | {"used": 9}), org=org, sequence=4)
    await fleet.posts(200, person)
    await fleet.gateway.publish(EntitlementChanged(**campaigns | {"enabled": False}), org=org, sequence=5)
    await fleet.posts(403, person)


async def test_ended_sessions_are_forgotten_once_no_token_is_good(fleet: Fleet) -> None:
    db, old, fresh = fleet.gateway.app.db, new_id(), new_id()
    insert = (
        "INSERT INTO ended_sessions (session_id, ended_at, noted_at) VALUES ($1, now(), now() - $2::interval)"
    )
    for session, minutes in ((old, 40), (fresh, 20)):
        await db.execute(insert, session, timedelta(minutes=minutes))
    await forget_ended_sessions(fleet.gateway.app)
    kept = {row["session_id"] for row in await db.fetch("SELECT session_id FROM ended_sessions")}
    assert fresh in kept
    assert old not in kept


async def test_serves_the_document(fleet: Fleet) -> None:
    plain = await ask(fleet.port, "GET", "/openapi.json")
    assert plain.status == 200
    assert "/v1/things" in plain.json()["paths"]
    assert plain.header("content-type") == "application/json"
    packed = await ask(fleet.port, "GET", "/openapi.json", "accept-encoding: gzip, br")
    assert packed.header("content-encoding") == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    known = await ask(fleet.port, "GET", "/openapi.json", f"if-none-match: {plain.header('etag')}")
    assert (known.status, known.body) == (304, b"")


async def test_serves_pages_that_load_nothing_from_elsewhere(fleet: Fleet) -> None:
    for path in ("/docs", "/docs/docs.css", "/docs/docs.js", "/problems", "/problems/not-found"):
        page = await ask(fleet.port, "GET", path)
        assert page.status == 200, path
        policy = page.header("content-security-policy") or ""
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert b"http://" not in page.body.replace(b"http://www.w3.org", b"")
        assert b"https://" not in page.body
        assert b" style=" not in page.body
    for path in ("/docs/secrets.toml", "/docs/..%2fapi.py", "/problems/none", "/nothing"):
        assert (await ask(fleet.port, "GET", path)).status in (400, 404)
    assert (await ask(fleet.port, "GET", "/")).header("location") == "/docs"


async def test_every_problem_has_a_page(fleet: Fleet) -> None:
    listed = (await ask(fleet.port, "GET", "/problems")).body.decode()
    answers = [
        await ask(fleet.port, "GET", "/v1/unknown"),
        await ask(fleet.port, "GET", "/v1/things"),
        await ask(fleet.port, "DELETE", "/v1/things"),
        await ask(fleet.port, "GET", "/v1/others", token=fleet.key.token()),
    ]
    for answer in answers:
        type_ = answer.json()["type"]
        assert type_ in listed
        assert answer.json()["title"] in (await ask(fleet.port, "GET", type_)).body.decode()


async def test_its_own_operations_stand_behind_the_door_too(fleet: Fleet) -> None:
    path = "/v1/parked/gateway"
    assert (await ask(fleet.port, "GET", path)).status == 401
    assert (await ask(fleet.port, "GET", path, "flotilla-principal: forged")).status == 401
    assert (await fleet.ask(fleet.key.token(role="viewer"), path)).status == 403
    allowed = await fleet.ask(fleet.key.token(role="owner"), path)
    assert (allowed.status, allowed.json()["items"]) == (200, [])
    assert allowed.header("ratelimit") is not None


async def test_probes(fleet: Fleet) -> None:
    assert (await ask(fleet.port, "GET", "/healthz")).json() == {"status": "ok"}
    ready = (await ask(fleet.port, "GET", "/readyz")).json()
    assert ready["dependencies"] == {
        "postgres": "ok",
        "rabbitmq": "ok",
        "redis": "ok",
        "signing_keys": "ok",
    }
    metrics = (await ask(fleet.port, "GET", "/metrics")).body
    assert b"flotilla_gateway_requests_total{" in metrics


def organization(org: UUID, state: str) -> OrganizationUpdated:
    """Its state."""
    return OrganizationUpdated(
        organization_id=org,
        name="Acme",
        slug="acme",
        locale="en",
        time_zone="UTC",
        currency="EUR",
        region="eu",
        state=state,
    )

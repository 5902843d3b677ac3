"""Keys and plans as events tell of them, in every process."""

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from flotilla.events.auth import ApiKeyCreated, ApiKeyRevoked
from flotilla.events.billing import EntitlementChanged, UsageLimitReached
from flotilla.events.gateway import ApiKeyUsed
from flotilla.ids import new_id
from flotilla.security.revocations import key as revocation_key
from flotilla.testing import eventually
from flotilla.testing.clock import same_hour
from flotilla.testing.plugin import StartService
from flotilla_gateway.key_use import note_used_keys
from flotilla_gateway.settings import GatewaySettings

from services.gateway.tests.fleet import Fleet
from services.gateway.tests.test_programs import new_key

AT_ONCE = 5.0
"""Seconds within which every process refuses a revoked key; one, where the machine has nothing else to do."""
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

        await same_hour()  # a use is told once an hour
        await note_used_keys(second.app)
        await note_used_keys(fleet.gateway.app)
        used = await fleet.gateway.spy.expect(ApiKeyUsed, lambda event: event.org == org)
        assert (used.data.api_key_id, used.data.used_at.minute) == (created["api_key_id"], 0)
        assert used.sequence == int(used.data.used_at.timestamp()) // 3600

        began = time.monotonic()
        await fleet.gateway.publish(ApiKeyRevoked(**created, **REVOKED), org=org, sequence=2)
        await replica.becomes(401, key)
        await fleet.becomes(401, key)
        assert time.monotonic() - began < AT_ONCE
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
    limited, told = new_key(), '"api";q=1000;w=3600, "key";q=20;w=3600'
    event = ApiKeyCreated(**api_key(limited) | {"requests_per_hour": 20})
    await fleet.gateway.publish(event, org=org, sequence=1)
    await fleet.becomes(200, limited)
    assert (await fleet.ask(limited)).header("ratelimit-policy") == told
    await fleet.posts(402, person)
    await fleet.gateway.publish(EntitlementChanged(**campaigns | {"used": 9}), org=org, sequence=4)
    await fleet.posts(200, person)
    await fleet.gateway.publish(EntitlementChanged(**campaigns | {"enabled": False}), org=org, sequence=5)
    await fleet.posts(403, person)

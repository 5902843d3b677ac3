"""The whole service on its stores: what events teach it, its own pages, its own part of the API."""

import gzip
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.events.auth import (
    OrganizationSuspended,
    OrganizationUpdated,
    RoleUpdated,
    SessionEnded,
    UserDeactivated,
    UserUpdated,
)
from flotilla.events.security import OAuthClientRevoked
from flotilla.ids import new_id
from flotilla.security.principal import Principal, PrincipalVerifier
from flotilla.security.revocations import key as revocation_key
from flotilla.testing import eventually
from flotilla.testing.plugin import StartService
from flotilla_gateway.service import forget_ended_sessions
from flotilla_gateway.settings import GatewaySettings

from services.gateway.tests.fleet import Fleet
from services.gateway.tests.raw import ask
from services.gateway.tests.world import SigningKey


async def test_keys_come_by_event_and_rotate(fleet: Fleet) -> None:
    second = SigningKey("second")
    await fleet.rotated(second, fleet.key, sequence=2)
    await fleet.becomes(200, second.token())
    assert (await fleet.ask(fleet.key.token())).status == 200, "both are good"

    await fleet.rotated(SigningKey("stale"), sequence=1)
    await fleet.rotated(fleet.key, sequence=3)
    await fleet.becomes(401, second.token())
    assert (await fleet.ask(fleet.key.token())).status == 200


async def test_a_revoked_clients_tokens_are_refused_in_memory_and_in_redis(fleet: Fleet) -> None:
    client, org = new_id(), new_id()
    token = fleet.key.token(sid=str(client), org=str(org), scope="things:read")
    assert (await fleet.ask(token)).status == 200
    now = datetime.now(UTC)
    revoked = OAuthClientRevoked(
        client_id=client,
        name="ERP",
        scopes=["things:read"],
        role="admin",
        created_by=new_id(),
        secret_rotated_at=now,
        revoked_at=now,
        reason="revoked",
    )
    await fleet.gateway.publish(revoked, org=org, sequence=2)
    await fleet.becomes(401, token)
    app = fleet.gateway.app
    assert app.redis is not None
    await app.redis.delete(revocation_key(str(client)))

    async def refused() -> bool:
        return (await fleet.ask(token)).status == 401

    await eventually(refused, what="refused where Redis has lost it")


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
        await fleet.gateway.publish(
            OrganizationUpdated(**organization(org, state)), org=org, sequence=sequence
        )
        await fleet.becomes(status, token)
        assert (await fleet.ask(other)).status == 200
    closed = OrganizationSuspended(**organization(org, "suspended"), reason="Sends what nobody asked for")
    await fleet.gateway.publish(closed, org=org, sequence=4)
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
        return _principal(fleet).role == "viewer"

    await eventually(demoted)


async def test_an_own_role_that_changed_counts_at_once(fleet: Fleet) -> None:
    org, user, role_id = new_id(), new_id(), new_id()
    token = fleet.key.token(org=str(org), sub=str(user), role="team_member", rid=str(role_id))

    async def may(permission: str) -> bool:
        await fleet.ask(token)
        return _principal(fleet).may(permission)

    async def told(sequence: int, state: str = "active", **permissions: str) -> None:
        role = RoleUpdated(
            role_id=role_id, name="Support", base="team_member", permissions=permissions, state=state
        )
        await fleet.gateway.publish(role, org=org, sequence=sequence)

    assert not await may("conversations:read"), "nothing is known of the role yet"
    await told(1, **{"conversations:read": "all"})
    await eventually(lambda: may("conversations:read"))
    assert not await may("deals:read"), "whatever the built-in role may that it is taken for"
    await told(3, **{"deals:read": "all"})
    await eventually(lambda: may("deals:read"))
    await told(2, **{"conversations:read": "all"})
    given = UserUpdated(
        user_id=user, email=None, name=None, role="viewer", role_id=None, locale="en", state="active"
    )
    await fleet.gateway.publish(given, org=org, sequence=2)
    await eventually(lambda: may("tasks:read"))
    again = UserUpdated(
        user_id=user, email=None, name=None, role="viewer", role_id=role_id, locale="en", state="active"
    )
    await fleet.gateway.publish(again, org=org, sequence=3)

    async def narrowed() -> bool:
        return not await may("tasks:read")

    await eventually(narrowed)
    assert await may("deals:read")
    await told(4, state="deleted")

    async def gone() -> bool:
        return not await may("deals:read")

    await eventually(gone)


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


def organization(org: UUID, state: str) -> dict[str, Any]:
    """Its state."""
    return {
        "organization_id": org,
        "name": "Acme",
        "slug": "acme",
        "locale": "en",
        "time_zone": "UTC",
        "currency": "EUR",
        "region": "eu",
        "state": state,
    }


def _principal(fleet: Fleet) -> Principal:
    """Whom the service was told of last."""
    settings = fleet.gateway.app.settings
    header = fleet.things.requests[-1].header("flotilla-principal")
    return PrincipalVerifier(settings.principal_public_keys, "things").verify(header or "")

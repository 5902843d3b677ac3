"""Keys of programs: shown once, kept as hashes, no more than their maker may."""

import hashlib
from datetime import UTC, datetime, timedelta

from flotilla.events.auth import ApiKeyCreated, ApiKeyRevoked
from flotilla.events.gateway import ApiKeyUsed
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla_auth.api.api_keys import MOST_KEYS
from flotilla_auth.testing import People, Person

WANTED = {"name": "ERP sync", "scopes": ["contacts:write", "contacts:read", "contacts:read"]}


async def test_a_key_is_shown_once_and_kept_as_its_hash(auth: Harness, owner: Person) -> None:
    made = await owner.client.post("/v1/api-keys", WANTED)
    assert made.status == 201, made.body
    assert made.headers["Cache-Control"] == "no-store"
    key = made.json()["key"]
    assert key.startswith("flt_")
    assert len(key) == 4 + 43, "256 bits"
    assert made.json()["scopes"] == ["contacts:read", "contacts:write"]

    created = await auth.spy.expect(ApiKeyCreated, lambda event: event.org == owner.org)
    assert created.data.verifier == hashlib.sha256(key.encode()).hexdigest()
    assert (created.data.role, created.data.created_by) == ("owner", owner.id)
    assert created.envelope.audience is None, "for owners and administrators"
    assert key not in str(auth.spy.events)

    read = await owner.client.get(made.headers["Location"])
    assert "key" not in read.json()
    assert (read.json()["hint"], read.json()["state"]) == (key[:8], "active")
    listed = (await owner.client.get("/v1/api-keys")).json()["items"]
    assert listed == [read.json()]
    async with auth.app.db.transaction(owner.org) as tx:
        assert key not in str(await tx.fetch("SELECT * FROM api_keys"))


async def test_a_key_may_have_a_limit_of_its_own(auth: Harness, owner: Person) -> None:
    assert (await owner.client.post("/v1/api-keys", WANTED)).json()["requests_per_hour"] is None
    made = await owner.client.post("/v1/api-keys", {**WANTED, "requests_per_hour": 20})
    assert (made.status, made.json()["requests_per_hour"]) == (201, 20)
    path = made.headers["Location"]
    assert (await owner.client.get(path)).json()["requests_per_hour"] == 20
    assert (await owner.client.delete(path)).status == 204
    for type_ in (ApiKeyCreated, ApiKeyRevoked):
        told = await auth.spy.expect(type_, lambda event: str(event.data.api_key_id) == made.json()["id"])
        assert told.data.requests_per_hour == 20
    for bad in (0, -1, 1_000_001, 1.5, "many"):
        refused = await owner.client.post("/v1/api-keys", {**WANTED, "requests_per_hour": bad})
        assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/requests_per_hour"), bad


async def test_a_revoked_key_stays_so_and_is_told_once(auth: Harness, owner: Person) -> None:
    path = (await owner.client.post("/v1/api-keys", WANTED)).headers["Location"]
    for _ in range(2):
        assert (await owner.client.delete(path)).status == 204
    revoked = await auth.spy.expect(ApiKeyRevoked, lambda event: event.org == owner.org)
    assert (revoked.sequence, revoked.data.reason) == (2, "revoked")
    assert revoked.data.verifier is not None
    assert (await owner.client.get(path)).json()["state"] == "revoked"
    assert len(auth.spy.of(ApiKeyRevoked, owner.org)) == 1


async def test_a_key_carries_no_more_than_its_maker_may(people: People, owner: Person) -> None:
    admin = await people.member(owner, "admin")
    for scopes in (["nothing:read"], ["public"], ["api_keys:write"], ["profile:write"], ["Contacts:read"]):
        refused = await admin.client.post("/v1/api-keys", {"name": "x", "scopes": ["contacts:read", *scopes]})
        assert refused.status == 422
        assert [each["pointer"] for each in refused.json()["errors"]] == ["/scopes/1"]
    assert (await admin.client.post("/v1/api-keys", {"name": "x", "scopes": []})).status == 422
    past = {**WANTED, "expires_at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}
    assert (await admin.client.post("/v1/api-keys", past)).status == 422
    soon = {**WANTED, "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    assert (await admin.client.post("/v1/api-keys", soon)).status == 201
    member = await people.member(owner, "team_owner")
    assert (await member.client.post("/v1/api-keys", WANTED)).status == 403
    assert (await member.client.get("/v1/api-keys")).status == 403


async def test_who_leaves_or_loses_permissions_leaves_no_key_behind(
    auth: Harness, people: People, owner: Person
) -> None:
    for change in ({"role": "viewer"}, {"state": "deactivated"}):
        admin = await people.member(owner, "admin")
        path = (await admin.client.post("/v1/api-keys", WANTED)).headers["Location"]
        assert (await owner.client.patch(f"/v1/users/{admin.id}", change)).status == 200
        assert await _reason(auth, admin) == "creator_changed"
        assert (await owner.client.get(path)).json()["state"] == "revoked"


async def _reason(auth: Harness, maker: Person) -> str:
    told = await auth.spy.expect(ApiKeyRevoked, lambda event: event.data.created_by == maker.id)
    return told.data.reason


async def test_keys_are_not_without_number(auth: Harness, owner: Person) -> None:
    made = await owner.client.post("/v1/api-keys", WANTED)
    async with auth.app.db.transaction(owner.org) as tx:
        await tx.execute(
            "INSERT INTO api_keys (organization_id, id, name, hint, verifier, scopes, role, created_by)"
            " SELECT organization_id, gen_random_uuid(), name, hint, verifier, scopes, role, created_by"
            " FROM api_keys, generate_series(2, $1)",
            MOST_KEYS,
        )
    assert (await owner.client.post("/v1/api-keys", WANTED)).status == 409
    await owner.client.delete(made.headers["Location"])
    assert (await owner.client.post("/v1/api-keys", WANTED)).status == 201


async def test_when_a_key_was_used_is_known_to_the_hour(auth: Harness, owner: Person) -> None:
    made = await owner.client.post("/v1/api-keys", WANTED)
    hour = datetime(2026, 5, 1, 12, tzinfo=UTC)
    for sequence, at in ((12, hour), (11, hour - timedelta(hours=1))):
        used = ApiKeyUsed(api_key_id=made.json()["id"], used_at=at)
        await auth.publish(used, org=owner.org, sequence=sequence)

    async def shown() -> bool:
        return bool(
            (await owner.client.get(made.headers["Location"])).json()["used_at"] == "2026-05-01T12:00:00Z"
        )

    await eventually(shown, what="the key's use is shown")


async def test_another_organizations_keys_are_not_there(people: People, owner: Person) -> None:
    path = (await owner.client.post("/v1/api-keys", WANTED)).headers["Location"]
    other = await people.owner()
    assert (await other.client.get(path)).status == 404
    assert (await other.client.delete(path)).status == 404
    assert (await other.client.get("/v1/api-keys")).json()["items"] == []
    assert (await owner.client.delete(f"/v1/api-keys/{new_id()}")).status == 404

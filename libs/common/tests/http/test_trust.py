"""Who asks: only what the gateway signed is believed, and only what the role may is done."""

import base64
import time
from uuid import UUID

import msgspec
import pytest
from flotilla.http import Routes
from flotilla.ids import new_id
from flotilla.secrets import new_key
from flotilla.security.principal import HEADER, Principal, PrincipalSigner
from flotilla.testing import Client, Harness
from flotilla.testing.harness import Answer, running

from libs.common.tests.http.shop import service


def principal(org: UUID, **changed: object) -> Principal:
    told: dict[str, object] = {
        "org": org,
        "user_id": new_id(),
        "session_id": new_id(),
        "role": "owner",
        "expires_at": int(time.time()) + 60,
    }
    return msgspec.convert(told | changed, Principal)


async def with_token(shop: Harness, token: str) -> Answer:
    return await shop.anonymous().get("/v1/shops", headers={HEADER: token})


def genuine(shop: Harness) -> PrincipalSigner:
    return PrincipalSigner(shop.instance.secrets.principal_private_key)


async def test_a_signed_principal_is_believed(shop: Harness, org: UUID) -> None:
    assert (await with_token(shop, genuine(shop).sign(principal(org)))).status == 200


async def test_nobody_may_only_what_is_public(shop: Harness) -> None:
    nobody = shop.anonymous()
    refused = await nobody.get("/v1/shops")
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (await nobody.post("/v1/shops/open")).status == 201


async def test_the_gateways_key_is_changed_while_services_run(shop: Harness, org: UUID) -> None:
    """Replicas learn the new one, one after the other; the gateway signs with it; then the old one is forgotten."""
    secrets = shop.instance.secrets
    added = msgspec.structs.replace(secrets, principal_keys=[*secrets.principal_keys, new_key("p2")])
    after = msgspec.structs.replace(added, principal_keys=added.principal_keys[-1:])
    old, new = (PrincipalSigner(each.principal_private_key).sign(principal(org)) for each in (added, after))
    assert [(await with_token(shop, token)).status for token in (old, new)] == [200, 401], (
        "not started anew yet"
    )
    for known, answers in ((added, [200, 200]), (after, [401, 200])):
        async with running(
            service,
            instance=shop.instance,
            lanes_paused=True,
            principal_public_keys=known.principal_public_keys,
        ) as replica:
            assert [(await with_token(replica, token)).status for token in (old, new)] == answers


async def test_another_key_than_the_gateways_is_not_believed(shop: Harness, org: UUID) -> None:
    forger = PrincipalSigner(base64.b64encode(bytes(range(32))).decode())
    answer = await with_token(shop, forger.sign(principal(org)))
    assert (answer.status, answer.json()["type"]) == (401, "/problems/unauthorized")


async def test_a_changed_payload_is_not_believed(shop: Harness, org: UUID) -> None:
    payload, signature = genuine(shop).sign(principal(org, role="viewer")).split(".")
    plain = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    forged = base64.urlsafe_b64encode(plain.replace(b"viewer", b"owner")).decode().rstrip("=")
    assert (await with_token(shop, f"{forged}.{signature}")).status == 401


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "no dot", "e30.e30", "%%%.%%%"])
async def test_nonsense_is_not_believed(shop: Harness, token: str) -> None:
    assert (await with_token(shop, token)).status == 401


async def test_an_expired_one_is_not_believed_however_often_it_was(shop: Harness, org: UUID) -> None:
    token = genuine(shop).sign(principal(org, expires_at=int(time.time()) - 1))
    assert [(await with_token(shop, token)).status for _ in range(2)] == [401, 401]


async def test_a_role_may_what_the_table_says(shop: Harness, client: Client, org: UUID) -> None:
    path = (await client.post("/v1/shops", {"name": "Harbour"})).headers["Location"]
    viewer, member = shop.client(org, role="viewer"), shop.client(org, role="team_member")
    assert (await viewer.get(path)).status == 200
    refused = await viewer.patch(path, {"name": "x"})
    assert (refused.status, refused.json()["type"]) == (403, "/problems/forbidden")
    assert "companies:write" in refused.json()["detail"]
    assert (await member.patch(path, {"name": "x"})).status == 200
    assert (await member.delete(path)).status == 403
    assert (await shop.client(org, role="invented").get(path)).status == 403


async def test_anothers_rows_do_not_exist(shop: Harness, client: Client) -> None:
    path = (await client.post("/v1/shops", {"name": "Harbour"})).headers["Location"]
    stranger = shop.client(new_id())
    assert [
        (await stranger.request(method, path, json={"name": "x"})).status for method in ("GET", "PATCH")
    ] == [
        404,
        404,
    ]
    assert (await stranger.delete(path)).status == 204, "nothing of theirs was there"
    assert (await client.get(path)).status == 200


def test_a_route_cannot_be_declared_with_a_permission_nobody_has() -> None:
    routes = Routes("/v1/x", tag="x")
    with pytest.raises(ValueError, match="no role has"):
        routes.get("", permission="everything:write")
    with pytest.raises(ValueError, match="rate-limit class"):
        routes.get("", permission="public", limit="none")

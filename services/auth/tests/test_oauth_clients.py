"""Partners' programs: short-lived tokens for a secret, no more than its maker may, ended at once."""

import asyncio
import base64
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from flotilla.events.security import OAuthClientCreated, OAuthClientRevoked, OAuthClientSecretRotated
from flotilla.ids import new_id
from flotilla.testing import Harness
from flotilla.testing.harness import Answer
from flotilla_auth.testing import People, Person, claims

WANTED = {"name": "ERP sync", "scopes": ["contacts:write", "contacts:read"]}
GRANT = {"grant_type": "client_credentials"}


async def made(owner: Person) -> tuple[str, str]:
    answer = await owner.client.post("/v1/oauth-clients", WANTED)
    assert answer.status == 201, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json()["id"], answer.json()["client_secret"]


async def fetch(auth: Harness, client: str | None, secret: str | None, **form: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if client is not None:
        pair = base64.b64encode(f"{client}:{secret}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    body = urlencode(GRANT | form).encode()
    return await auth.anonymous().post("/v1/oauth/token", body=body, headers=headers)


async def test_a_client_fetches_tokens_with_its_scopes(auth: Harness, owner: Person) -> None:
    client, secret = await made(owner)
    created = await auth.spy.expect(OAuthClientCreated, lambda event: event.org == owner.org)
    assert (str(created.data.client_id), created.envelope.audience) == (client, None)

    answer = await fetch(auth, client, secret)

    assert answer.status == 200, answer.body
    assert (answer.headers["Cache-Control"], answer.json()["token_type"]) == ("no-store", "Bearer")
    said = claims(answer.json()["access_token"])
    assert (said["iss"], said["sid"], said["org"]) == ("flotilla", client, str(owner.org))
    assert said["scope"] == answer.json()["scope"] == "contacts:read contacts:write"
    assert said["exp"] - said["iat"] == answer.json()["expires_in"] == 900
    assert "auth_time" not in said, "a program never proves anew who it is"
    less = await fetch(auth, None, None, client_id=client, client_secret=secret, scope="contacts:read")
    assert claims(less.json()["access_token"])["scope"] == "contacts:read"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "deals:write"}, 400, "invalid_scope"),
        ({"client_secret": "twice"}, 400, "invalid_request"),
    ],
)
async def test_what_is_no_request_for_a_token(
    auth: Harness, owner: Person, form: dict[str, str], status: int, error: str
) -> None:
    client, secret = await made(owner)
    answer = await fetch(auth, client, secret, **form)
    assert (answer.status, answer.json()["error"]) == (status, error)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_who_is_no_client_is_not_told_why(auth: Harness, people: People, owner: Person) -> None:
    client, secret = await made(owner)
    other, others = await made(await people.owner())
    wrong = [
        (client, others),
        (other, secret),
        (str(new_id()), secret),
        (client, ""),
        ("nobody", "x"),
        (None, None),
    ]
    answers = [await fetch(auth, *pair) for pair in wrong]
    assert {(answer.status, answer.json()["error"], answer.json()["detail"]) for answer in answers} == {
        (401, "invalid_client", "The client or its secret is wrong.")
    }
    assert all(answer.headers["WWW-Authenticate"].startswith("Basic") for answer in answers)


async def test_a_secret_is_rotated_with_both_good_for_a_while(auth: Harness, owner: Person) -> None:
    client, first = await made(owner)
    path = f"/v1/oauth-clients/{client}/secret"
    second = (await owner.client.post(path, {"old_secret_hours": 1})).json()["client_secret"]
    assert [(await fetch(auth, client, secret)).status for secret in (first, second)] == [200, 200]
    third = (await owner.client.post(path, {"old_secret_hours": 0})).json()["client_secret"]
    statuses = [(await fetch(auth, client, secret)).status for secret in (first, second, third)]
    assert statuses == [401, 401, 200]
    await auth.spy.expect(
        OAuthClientSecretRotated, lambda event: event.org == owner.org and event.sequence == 3
    )
    for secret in (first, second, third):
        assert secret not in str(auth.spy.events)
        rows = await auth.app.db.fetch("SELECT t::text AS text FROM oauth_client_secrets AS t")
        assert not [row for row in rows if secret in row["text"]]


async def test_a_revoked_client_stays_so(auth: Harness, owner: Person) -> None:
    client, secret = await made(owner)
    path = f"/v1/oauth-clients/{client}"
    for _ in range(2):
        assert (await owner.client.delete(path)).status == 204
    revoked = await auth.spy.expect(OAuthClientRevoked, lambda event: event.org == owner.org)
    assert revoked.data.reason == "revoked"
    assert (await fetch(auth, client, secret)).status == 401
    assert (await owner.client.post(f"{path}/secret", {})).status == 409
    assert (await owner.client.get(path)).json()["state"] == "revoked"
    assert len(auth.spy.of(OAuthClientRevoked, owner.org)) == 1


async def test_a_client_carries_no_more_than_its_maker_may(people: People, owner: Person) -> None:
    admin = await people.member(owner, "admin")
    for scope in ("nothing:read", "public", "api_keys:write", "profile:write"):
        refused = await admin.client.post("/v1/oauth-clients", {"name": "x", "scopes": [scope]})
        assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/scopes/0")
    lead = await people.member(owner, "team_owner")
    assert (await lead.client.post("/v1/oauth-clients", WANTED)).status == 403


async def test_who_leaves_leaves_no_client_behind(auth: Harness, people: People, owner: Person) -> None:
    admin = await people.member(owner, "admin")
    client, secret = await made(admin)
    assert (await owner.client.patch(f"/v1/users/{admin.id}", {"state": "deactivated"})).status == 200
    revoked = await auth.spy.expect(OAuthClientRevoked, lambda event: event.data.client_id == UUID(client))
    assert revoked.data.reason == "creator_changed"
    assert (await fetch(auth, client, secret)).status == 401


async def test_a_token_is_not_given_after_its_client_was_revoked(auth: Harness, owner: Person) -> None:
    client, secret = await made(owner)
    answers: list[Any] = await asyncio.gather(
        *(fetch(auth, client, secret) for _ in range(5)), owner.client.delete(f"/v1/oauth-clients/{client}")
    )
    assert {answer.status for answer in answers[:5]} <= {200, 401}
    assert (await fetch(auth, client, secret)).status == 401


async def test_anothers_clients_are_not_there(people: People, owner: Person) -> None:
    client, _ = await made(owner)
    path, other = f"/v1/oauth-clients/{client}", await people.owner()
    assert (await other.client.get(path)).status == 404
    assert (await other.client.delete(path)).status == 404
    assert (await other.client.post(f"{path}/secret", {})).status == 404
    assert (await other.client.get("/v1/oauth-clients")).json()["items"] == []
    assert [item["id"] for item in (await owner.client.get("/v1/oauth-clients")).json()["items"]] == [client]
    assert (await owner.client.delete(f"/v1/oauth-clients/{new_id()}")).status == 404

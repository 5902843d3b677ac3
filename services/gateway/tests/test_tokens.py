"""Who is believed: good tokens only, for as long as what they say is true."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.ids import new_id
from flotilla_gateway.trust import tokens
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from services.gateway.tests.raw import ask
from services.gateway.tests.world import SigningKey, World


async def status(edge: World, token: str) -> int:
    """What one request with that token is answered with."""
    return (await ask(edge.port, "GET", "/v1/things", token=token)).status


async def test_a_good_token_becomes_a_principal(edge: World) -> None:
    claims = {name: str(new_id()) for name in ("sub", "org", "sid")}
    assert await status(edge, edge.token(**claims, role="admin")) == 200
    principal = edge.principal()
    assert principal.user_id == UUID(claims["sub"])
    assert principal.org == UUID(claims["org"])
    assert principal.session_id == UUID(claims["sid"])
    assert principal.role == "admin"
    assert 0 < principal.expires_at - time.time() <= 60


async def test_a_principal_is_signed_once_and_renewed_before_it_expires(
    edge: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = edge.token()
    now = time.time()
    monkeypatch.setattr(edge.gateway.tokens, "_now", lambda: now)
    for ahead in (0, 39, 41):
        now = now + ahead
        assert await status(edge, token) == 200
    first, second, third = (each.header("flotilla-principal") for each in edge.things.requests)
    assert first == second
    assert second != third


async def test_nobody(edge: World) -> None:
    answer = await ask(edge.port, "GET", "/v1/things")
    assert (answer.status, answer.json()["type"]) == (401, "/problems/unauthorized")
    assert (answer.header("www-authenticate") or "").startswith("Bearer")
    assert not edge.things.requests


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 1},
        {"iss": "somebody"},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3700},
        {"nbf": int(time.time()) + 3600},
        {"exp": int(time.time()) + 86_400},
        {"sub": "not-an-id"},
        {"sub": None},
        {"exp": None},
        {"exp": "never"},
        {"role": None},
        {"sid": 1},
    ],
)
async def test_claims_that_are_not_good(edge: World, claims: dict[str, Any]) -> None:
    assert await status(edge, edge.token(**claims)) == 401


async def test_tokens_that_are_not_signed_by_a_known_key(edge: World) -> None:
    good = edge.token()
    head, payload, signature = good.split(".")
    other = SigningKey("k1").token()
    forged_payload = _b64(json.dumps({**_read(payload), "role": "owner"}))
    public = edge.key.private.as_dict(private=False)
    hs256 = jwt.encode(
        {"alg": "HS256", "kid": "k1"},
        _read(payload),
        OctKey.import_key(str(public["x"])),
        algorithms=["HS256"],
    )
    embedded = OKPKey.generate_key("Ed25519")
    own_key = jwt.encode(
        {"alg": "Ed25519", "kid": "k1", "jwk": embedded.as_dict(private=False)},
        _read(payload),
        embedded,
        algorithms=["Ed25519"],
    )
    for bad in (
        other,
        SigningKey("unknown").token(),
        f"{head}.{forged_payload}.{signature}",
        f"{head}.{payload}.",
        f"{_b64(json.dumps({'alg': 'none', 'kid': 'k1'}))}.{payload}.",
        f"{_b64(json.dumps({'alg': 'none'}))}.{payload}.{signature}",
        hs256,
        own_key,
        f"{head}.{payload}",
        "a.b.c",
        "....",
        "x" * 5000,
        f"{_b64(json.dumps({'alg': 'Ed25519', 'kid': ['k1']}))}.{payload}.{signature}",
        f"{_b64(json.dumps({'alg': 'Ed25519', 'kid': 'k1', 'crit': ['b64'], 'b64': False}))}.{payload}.{signature}",
    ):
        assert await status(edge, bad) == 401, bad
    assert not edge.things.requests
    assert await status(edge, good) == 200


async def test_another_document_of_the_same_key_is_no_token(edge: World) -> None:
    payload = _read(edge.token().split(".")[1])
    for type_, expected in (("JWT", 200), ("flotilla-erasure-report+json", 401), ("at+jwt", 401)):
        header = {"alg": "Ed25519", "kid": "k1", "typ": type_}
        assert (
            await status(edge, jwt.encode(header, payload, edge.key.private, algorithms=["Ed25519"]))
            == expected
        )


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_both_names_of_the_algorithm(edge: World) -> None:
    payload = _read(edge.token().split(".")[1])
    named = jwt.encode({"alg": "EdDSA", "kid": "k1"}, payload, edge.key.private, algorithms=["EdDSA"])
    assert await status(edge, named) == 200


async def test_keys_rotate_while_both_are_good(edge: World) -> None:
    new, old = SigningKey("k2"), edge.key
    before, after = old.token(), new.token()
    assert (await status(edge, before), await status(edge, after)) == (200, 401)

    edge.gateway.standing.keys.replace([new.public(), old.public()])
    edge.gateway.standing.epoch += 1
    assert (await status(edge, before), await status(edge, after)) == (200, 200)

    edge.gateway.standing.keys.replace([new.public()])
    edge.gateway.standing.epoch += 1
    assert (await status(edge, before), await status(edge, after)) == (401, 200)


async def test_a_key_is_good_no_longer_than_auth_said(edge: World) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    edge.gateway.standing.keys.replace([edge.key.public(not_after=past)])
    assert await status(edge, edge.token()) == 401


async def test_a_known_token_expires_all_the_same(edge: World, monkeypatch: pytest.MonkeyPatch) -> None:
    token = edge.token(exp=int(time.time()) + 60)
    assert await status(edge, token) == 200
    later = time.time() + 61
    monkeypatch.setattr(edge.gateway.tokens, "_now", lambda: later)
    assert await status(edge, token) == 401


async def test_only_so_many_tokens_are_remembered(edge: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "KEPT_TOKENS", 2)
    many = [edge.token() for _ in range(4)]
    for token in many * 2:
        assert await status(edge, token) == 200
    assert len(edge.gateway.tokens._known) == 2


def _b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _read(part: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read

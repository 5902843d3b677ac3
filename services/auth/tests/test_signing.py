"""Keys that sign access tokens."""

import asyncio
import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from flotilla.cli import carrying
from flotilla.cli.signing_keys import revoked
from flotilla.events.auth import SigningKeyRotated
from flotilla.ids import PLATFORM_ORG
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import running
from flotilla_auth.domain import signing
from flotilla_auth.domain.signing import ACCESS_LIFETIME, AHEAD, PERIOD, SLACK, SigningKey
from flotilla_auth.resources import own
from flotilla_auth.service import service
from flotilla_auth.signing import ALGORITHM, read_keys, rotate
from flotilla_auth.testing import People, Person
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OKPKey

NOW = datetime(2031, 5, 1, tzinfo=UTC)


def key(signs_from: datetime) -> SigningKey:
    return SigningKey(
        id=uuid4(),
        public_key=b"",
        sealed_private_key=b"",
        signs_from=signs_from,
        not_after=signs_from + PERIOD + SLACK + ACCESS_LIFETIME,
    )


def rotated(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
    """What the worker does at `now`."""
    if not signing.is_due(keys, now):
        return list(keys)
    fresh = key(signing.starts(keys, now))
    return [*signing.retired(keys, fresh.signs_from), fresh]


def test_the_first_key_signs_at_once_and_the_next_only_once_all_know_it() -> None:
    first = rotated([], NOW)
    assert signing.signer(first, NOW) == first[0]

    due = NOW + PERIOD - AHEAD
    assert rotated(first, due - timedelta(seconds=1)) == first
    both = rotated(first, due)
    assert signing.signer(both, due) == both[0]
    assert signing.signer(both, due + AHEAD) == both[1]


@given(st.lists(st.integers(1, 40 * 24), min_size=1, max_size=40))
def test_there_is_always_one_to_sign_and_every_token_outlives_its_key_by_nothing(hours: list[int]) -> None:
    """Whatever the gaps between the worker's turns, as long as one comes within the slack."""
    now, keys = NOW, rotated([], NOW)
    for gap in hours:
        now += timedelta(hours=min(gap, 36 * 24))
        keys = rotated(keys, now)
        signer = signing.signer(keys, now)
        assert signer is not None
        assert now + ACCESS_LIFETIME <= signer.not_after
        assert signing.in_order(keys, now)[0] == signer


def test_a_token_signed_just_before_the_change_stays_good_until_it_expires() -> None:
    both = rotated([key(NOW)], NOW + PERIOD - AHEAD)
    change = both[1].signs_from

    assert both[0].not_after >= change + ACCESS_LIFETIME
    assert signing.in_order(both, change + ACCESS_LIFETIME + timedelta(minutes=2)) == [both[1]]


async def test_everybody_learns_the_keys_from_the_event(auth: Harness, owner: Person) -> None:
    kid = _kid(owner.signed_in["access_token"])
    event = await auth.spy.expect(SigningKeyRotated, lambda event: event.data.keys[0].kid == kid)
    assert (event.org, event.envelope.audience) == (PLATFORM_ORG, None)
    public = {
        key.kid: OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.x}) for key in event.data.keys
    }

    token = owner.signed_in["access_token"]
    decoded = jwt.decode(token, lambda found: public[found.headers()["kid"]], algorithms=[ALGORITHM])

    assert decoded.claims["sub"] == str(owner.id)


async def test_processes_that_start_at_once_make_one_key(auth: Harness) -> None:
    await auth.app.db.execute("DELETE FROM signing_keys")

    made = await asyncio.gather(*(rotate(auth.app) for _ in range(4)))

    assert made.count(True) == 1
    assert await auth.app.db.fetchval("SELECT count(*) FROM signing_keys") == 1
    await read_keys(auth.app, own(auth.app).tokens)


async def test_a_second_replica_signs_with_the_same_key(auth: Harness, people: People) -> None:
    owner = await people.owner()
    async with running(service, instance=auth.instance) as replica:
        answer = await People(replica).sign_in(owner.email)

    kids = {
        _kid(answer.json()["access_token"]),
        _kid((await people.sign_in(owner.email)).json()["access_token"]),
    }
    assert len(kids) == 1


async def test_a_change_is_announced_with_both_keys_good(auth: Harness, people: People) -> None:
    before = _kid((await people.owner()).signed_in["access_token"])
    await auth.app.db.execute("UPDATE signing_keys SET signs_from = signs_from - $1::interval", PERIOD)

    assert await rotate(auth.app)
    await read_keys(auth.app, own(auth.app).tokens)

    event = await auth.spy.expect(SigningKeyRotated, lambda event: len(event.data.keys) == 2)
    assert event.data.keys[0].kid == before, "the signing one first"
    assert _kid((await people.owner()).signed_in["access_token"]) == before, "until all know the next"


async def test_private_halves_are_sealed(auth: Harness) -> None:
    for row in await auth.app.db.fetch("SELECT id, sealed_private_key FROM signing_keys"):
        raw = auth.app.keyring.open(row["sealed_private_key"], row["id"].bytes)
        assert raw not in row["sealed_private_key"]


async def test_revoked_keys_sign_nothing_any_more_in_any_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an operator's word: the fleet is told of the new one alone, and whoever has a token refreshes it."""
    async with (
        running(service, "revoked") as auth,
        running(service, instance=auth.instance) as replica,
    ):
        owner = await People(auth).owner()
        leaked = _kid(owner.signed_in["access_token"])
        assert _kid((await People(replica).sign_in(owner.email)).json()["access_token"]) == leaked

        monkeypatch.setattr(carrying, "SECONDS", 120.0)
        await revoked(auth.instance)

        told = await auth.spy.expect(
            SigningKeyRotated, lambda event: leaked not in {key.kid for key in event.data.keys}
        )
        (fresh,) = told.data.keys

        for process in (auth, replica):

            async def signs_with_it(process: Harness = process) -> bool:
                answer = await People(process).sign_in(owner.email)
                return _kid(answer.json()["access_token"]) == fresh.kid

            await eventually(signs_with_it, seconds=60, what="the new key signs")
        refreshed = await People(replica).refresh(owner.refresh_token)
        assert _kid(refreshed.json()["access_token"]) == fresh.kid, "the session goes on"


def _kid(token: str) -> str:
    head = token.split(".")[0]
    return str(msgspec.json.decode(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])

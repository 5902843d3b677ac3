"""The keys that sign access tokens: made, announced, changed and used."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flotilla.app import App
from flotilla.cause import Cause
from flotilla.events.auth import PublicKey, SigningKeyRotated
from flotilla.http import UnavailableError
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.security.sealing import Keyring
from flotilla.store.postgres import Transaction
from joserfc import jws, jwt
from joserfc.jwk import OKPKey

from flotilla_auth.domain import signing
from flotilla_auth.domain.entities import Session
from flotilla_auth.domain.oauth_clients import OAuthClient
from flotilla_auth.domain.signing import ACCESS_LIFETIME, PERIOD, SLACK, SigningKey
from flotilla_auth.store import keys as store
from flotilla_auth.store.grants import Grant

ISSUER: Final = "flotilla"
ALGORITHM: Final = "Ed25519"
"""RFC 9864's name; the older `EdDSA` left the curve open."""

GUEST: Final = "viewer"
"""What somebody of another organization is taken for, who may no more than their grant says."""

CHANGED: Final = "signing_keys"
"""The channel on which processes hear that keys were revoked."""

log = structlog.get_logger()


class AccessTokens:
    """Signs with the keys that this process has read; `read` is called often enough to know every new one."""

    def __init__(self, keyring: Keyring, region: str) -> None:
        self._keyring = keyring
        self._region = region
        self._keys: list[SigningKey] = []
        self._opened: dict[UUID, OKPKey] = {}

    def know(self, keys: list[SigningKey]) -> None:
        """Sign with these from now on."""
        self._opened = {key.id: self._opened.get(key.id) or self._open(key) for key in keys}
        self._keys = keys

    def sign(
        self,
        *,
        user_id: UUID,
        organization_id: UUID,
        session_id: UUID,
        role: str,
        role_id: UUID | None,
        authenticated_at: datetime,
        factors: int,
        now: datetime,
    ) -> str:
        """An access token (JWT, RFC 7519), good for `ACCESS_LIFETIME`."""
        return self._signed(
            {
                "sub": str(user_id),
                "org": str(organization_id),
                "sid": str(session_id),
                "role": role,
                **({"rid": str(role_id)} if role_id else {}),
                "auth_time": int(authenticated_at.timestamp()),
                "acr": f"aal{factors}",
            },
            now,
        )

    def sign_client(self, client: OAuthClient, scopes: Sequence[str], now: datetime | None = None) -> str:
        """An access token of a program: what it may is in it, and who answers for it."""
        return self._signed(
            {
                "sub": str(client.created_by),
                "org": str(client.organization_id),
                "sid": str(client.id),
                "role": client.role,
                "scope": " ".join(scopes),
            },
            now or datetime.now(UTC),
        )

    def sign_guest(self, session: Session, grant: Grant, may: Sequence[str]) -> tuple[str, int]:
        """An access token for what another organization lets its holder read, and its seconds.

        `org` is whose things they are, `via` the holder's own organization, `gid` the grant.
        """
        now = datetime.now(UTC)
        lifetime = (
            ACCESS_LIFETIME if grant.expires_at is None else min(ACCESS_LIFETIME, grant.expires_at - now)
        )
        claims = {
            "sub": str(session.user_id),
            "org": str(grant.organization_id),
            "sid": str(session.id),
            "role": GUEST,
            "via": str(session.organization_id),
            "gid": str(grant.id),
            "reads": " ".join(may),
        }
        return self._signed(claims, now, lifetime), int(lifetime.total_seconds())

    def sign_document(self, payload: bytes, type_: str, now: datetime) -> tuple[str, SigningKey]:
        """A document signed for good (JWS, RFC 7515, compact), and the key that did."""
        key = self._signer(now)
        header = {"alg": ALGORITHM, "kid": str(key.id), "typ": type_}
        return jws.serialize_compact(header, payload, self._opened[key.id], algorithms=[ALGORITHM]), key

    def _signer(self, now: datetime) -> SigningKey:
        key = signing.signer(self._keys, now)
        if key is None:
            raise UnavailableError("No key to sign with yet: try again.", headers={"Retry-After": "5"})
        return key

    def _signed(self, claims: Mapping[str, Any], now: datetime, lifetime: timedelta = ACCESS_LIFETIME) -> str:
        key = self._signer(now)
        issued = int(now.timestamp())
        times = {"iat": issued, "exp": issued + int(lifetime.total_seconds())}
        header = {"alg": ALGORITHM, "kid": str(key.id)}
        whole = {"iss": ISSUER, "reg": self._region, **claims, **times}
        return jwt.encode(header, whole, self._opened[key.id], algorithms=[ALGORITHM])

    def _open(self, key: SigningKey) -> OKPKey:
        raw = self._keyring.open(key.sealed_private_key, key.id.bytes)
        return OKPKey.import_key(
            {"kty": "OKP", "crv": "Ed25519", "x": public_text(key.public_key), "d": public_text(raw)}
        )


async def read_keys(app: App, tokens: AccessTokens) -> None:
    """Take over what another process changed."""
    tokens.know(await store.signing_keys(app.db))


async def rotate(app: App) -> bool:
    """Make a new key where one is due, and announce the set; safe in several processes at once."""
    async with app.db.transaction(PLATFORM_ORG, cause=Cause.fresh("service:auth")) as tx:
        await store.lock_set(tx)
        keys = await store.signing_keys(tx)
        now = datetime.now(UTC)
        if not signing.is_due(keys, now):
            return False
        fresh = _make(app.keyring, signing.starts(keys, now))
        keys = [*signing.retired(keys, fresh.signs_from), fresh]
        for key in keys:
            await store.save(tx, key)
        await store.delete_old(tx)
        await _announce(tx, keys, now)
    log.info("signing_key.rotated", key=str(fresh.id), signs_from=fresh.signs_from.isoformat())
    return True


async def revoke(tx: Transaction) -> None:
    """Believe no key of before, from now on: who has an access token refreshes it, and is none the wiser.

    For a key that somebody else may have; in time, `rotate` changes them without anybody noticing.
    """
    await store.lock_set(tx)
    now = datetime.now(UTC)
    gone = [replace(key, not_after=now) for key in await store.signing_keys(tx)]
    fresh = _make(tx.app.keyring, now)
    for key in (*gone, fresh):
        await store.save(tx, key)
    await _announce(tx, [fresh], now)
    await tx.notify(CHANGED)
    log.warning("signing_keys.revoked", keys=[str(key.id) for key in gone], key=str(fresh.id))


async def follow(app: App, tokens: AccessTokens) -> None:
    """Sign with no revoked key any more, whichever process revoked it; until cancelled."""
    stale = asyncio.Event()
    listening = asyncio.create_task(app.db.listen(CHANGED, lambda _: stale.set(), stale.set))
    try:
        while True:
            await stale.wait()
            stale.clear()
            with suppress(OSError, TimeoutError):  # `refresh_keys` reads them within a minute
                await read_keys(app, tokens)
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


async def _announce(tx: Transaction, keys: list[SigningKey], now: datetime) -> None:
    valid = signing.in_order(keys, now)
    event = SigningKeyRotated(
        key_set_id=store.KEY_SET,
        keys=[
            PublicKey(kid=str(key.id), x=public_text(key.public_key), not_after=key.not_after)
            for key in valid
        ],
    )
    tx.emit(event, org=PLATFORM_ORG, sequence=await store.count_change(tx))


def _make(keyring: Keyring, signs_from: datetime) -> SigningKey:
    key_id = new_id()
    private = Ed25519PrivateKey.generate()
    return SigningKey(
        id=key_id,
        public_key=private.public_key().public_bytes_raw(),
        sealed_private_key=keyring.seal(private.private_bytes_raw(), key_id.bytes),
        signs_from=signs_from,
        not_after=signs_from + PERIOD + SLACK + ACCESS_LIFETIME,
    )


def public_text(raw: bytes) -> str:
    """As JWK writes it: base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

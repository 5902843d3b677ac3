"""API keys: `flt_` and 256 random bits, known here by their SHA-256 and found in memory.

A key is refused as soon as any process has heard of its revocation: that process marks it in Redis, which the
rate-limit script of every process reads, and each forgets it when the database notifies.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

from flotilla.problems import UnauthorizedError
from flotilla.security.principal import LIFETIME_SECONDS, Principal, PrincipalSigner

from flotilla_gateway.problems import OrganizationSuspendedError
from flotilla_gateway.trust.records import KnownKey
from flotilla_gateway.trust.session import Session
from flotilla_gateway.trust.standing import Standing
from flotilla_gateway.trust.tokens import RENEW_BEFORE_SECONDS

PREFIX: Final = b"flt_"
LONGEST_KEY: Final = 100
HOUR: Final = 3600
_NEVER: Final = float("inf")


class ProgramSession(Session):
    """A program, as its key shows it."""

    __slots__ = ("key",)

    is_program = True

    def __init__(self, key: KnownKey) -> None:
        expires_at = key.expires_at.timestamp() if key.expires_at is not None else _NEVER
        actor = f"api_key:{key.api_key_id}"
        super().__init__(key.organization_id, key.api_key_id, actor, str(key.organization_id), expires_at)
        self.key = key

    @property
    def requests_per_hour(self) -> int | None:
        """As whoever made the key said."""
        return self.key.requests_per_hour


class ApiKeys:
    """All keys that are good, by their hashes."""

    def __init__(
        self, standing: Standing, signer: PrincipalSigner, now: Callable[[], float] = time.time
    ) -> None:
        self._standing = standing
        self._signer = signer
        self._now = now
        self._known: dict[bytes, ProgramSession] = {}
        self._verifiers: dict[UUID, bytes] = {}
        self._of: dict[UUID, dict[str, ProgramSession]] = {}
        """By organization, and what names a session of theirs."""
        self._used: dict[UUID, tuple[UUID, int]] = {}

    def replace(self, keys: Iterable[KnownKey]) -> None:
        """These and no others."""
        self._known.clear()
        self._verifiers.clear()
        self._of.clear()
        self.learn(keys)

    def learn(self, keys: Iterable[KnownKey]) -> None:
        """Take over what is said of these keys."""
        for key in keys:
            forgotten = self._verifiers.pop(key.api_key_id, None)
            if forgotten is not None:
                self._known.pop(forgotten, None)
                self._of.get(key.organization_id, {}).pop(str(key.api_key_id), None)
            if key.is_good and key.verifier is not None:
                session = ProgramSession(key)
                self._verifiers[key.api_key_id] = key.verifier
                self._known[key.verifier] = session
                self._of.setdefault(key.organization_id, {})[session.session] = session

    def session(self, presented: bytes) -> ProgramSession:
        """Whose key it is; a 401 problem where it is not good, 403 where its organization is suspended.

        Found by the hash of what was presented: how long that takes says nothing of any key that there is.
        """
        now = self._now()
        session = None
        if len(presented) <= LONGEST_KEY:
            session = self._known.get(hashlib.sha256(presented).digest())
        if session is None:
            raise UnauthorizedError("The API key is not valid, or was revoked.")
        if session.expires_at <= now:
            raise UnauthorizedError("The API key has expired: have another made.")
        if session.epoch != self._standing.epoch or session.renew_at <= now:
            self._sign(session, now)
        self._used[session.key.api_key_id] = (session.org_id, int(now) // HOUR)
        return session

    def is_good(self, api_key_id: str) -> bool:
        """Whether a key that was good still is."""
        verifier = self._verifiers.get(UUID(api_key_id))
        return verifier is not None and self._known[verifier].expires_at > self._now()

    def has_other(self, org: UUID, program: str) -> bool:
        """Whether the organization has another good key than this program's."""
        now = self._now()
        keys = self._of.get(org, {}).values()
        return any(key.session != program and key.expires_at > now for key in keys)

    def take_used(self) -> list[tuple[UUID, UUID, datetime]]:
        """(organization, key, hour) of keys that were used since this was last asked."""
        used, self._used = self._used, {}
        return [(org, key, datetime.fromtimestamp(hour * HOUR, UTC)) for key, (org, hour) in used.items()]

    def _sign(self, session: ProgramSession, now: float) -> None:
        key = session.key
        if self._standing.is_suspended(key.organization_id):
            raise OrganizationSuspendedError("An owner can have it opened again by Flotilla's operators.")
        principal = Principal(
            org=key.organization_id,
            user_id=key.created_by,
            session_id=key.api_key_id,
            role=key.role,
            expires_at=int(now + LIFETIME_SECONDS),
            scopes=key.scopes,
        )
        session.signs(partial(self._signer.sign, principal))
        session.renew_at = now + LIFETIME_SECONDS - RENEW_BEFORE_SECONDS
        session.epoch = self._standing.epoch

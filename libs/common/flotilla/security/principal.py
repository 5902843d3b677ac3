"""The principal: who asks, as the gateway signed it. Services verify it and trust nothing else.

The token is `base64url(payload).base64url(signature)`; the payload is JSON, the signature Ed25519 over its
bytes. It lives a minute, and is verified once per token: the gateway sends the same bytes for the same
session and service as long as they are good. It is for one service: what one was sent is of no use at another, so
that whoever broke into it is nobody elsewhere.
"""

import base64
import time
from typing import Final
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from flotilla.problems import UnauthorizedError
from flotilla.security.permissions import ORG_WIDE_ROLES, TEAM, scope_of

HEADER: Final = "flotilla-principal"
LIFETIME_SECONDS: Final = 60
CACHE_SIZE: Final = 20_000
MOST_COLLEAGUES: Final = 200
"""As many as fit into a header; who has more sees the records of so many, and none of the others'."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in person, or a program with an API key or a client's token, acting for one organization."""

    org: UUID
    user_id: UUID
    """Of a program: who made its key or client."""
    session_id: UUID
    """Of a program: its API key's, or its client's, id."""
    role: str
    expires_at: int
    """Unix seconds."""
    scopes: tuple[str, ...] | None = None
    """All that a program may, of what its key's maker may; None for people."""
    program: str = "api_key"
    """What a program came with: `api_key`, or `oauth_client`."""
    authenticated_at: int = 0
    """Unix seconds: when they last proved who they are, by all factors they have; 0 for programs."""
    factors: int = 1
    """By how many they did."""
    grants: dict[str, str] | None = None
    """Permission to scope, of people who have one of their organization's own roles: `role` is then only what it is
    taken for. None: all that `role` may."""
    colleagues: tuple[UUID, ...] = ()
    """Of people who have something for their `team`: who else is in a team of theirs, at most `MOST_COLLEAGUES`."""
    via: UUID | None = None
    """Of a guest: their own organization, which `org` has granted to read some of its things (AUTH-5)."""
    grant_id: UUID | None = None
    """Of a guest: by which grant."""
    audience: str = ""
    """The service that it is for."""

    @property
    def orgs(self) -> tuple[UUID, ...]:
        """The organizations whose rows it sees."""
        return (self.org,)

    @property
    def actor(self) -> str:
        """As events name it."""
        return f"user:{self.user_id}" if self.scopes is None else f"{self.program}:{self.session_id}"

    @property
    def sees_everything(self) -> bool:
        """Whether it sees events of any audience of its organization."""
        return self.role in ORG_WIDE_ROLES and self.grants is None

    def may(self, permission: str) -> bool:
        """Whether its role has the permission, and its key carries it where there is one."""
        return self.scope(permission) is not None

    def scope(self, permission: str) -> str | None:
        """Whether it has the permission for its own records, its teams' or all; None where it does not have it."""
        if self.scopes is not None and permission not in self.scopes:
            return None
        return scope_of(self.role, self.grants, permission)

    def authenticated_within(self, seconds: float) -> bool:
        """Whether a person proved who they are in the last `seconds`."""
        return self.scopes is None and self.authenticated_at >= time.time() - seconds

    def is_for_own_teams(self, permission: str) -> bool:
        """Whether it has the permission for the teams it belongs to alone (`TEAM_SCOPED`)."""
        return self.grants is not None and self.grants.get(permission) == TEAM


class _Anonymous(Principal, frozen=True, kw_only=True):
    @property
    def orgs(self) -> tuple[UUID, ...]:
        return ()


_NOBODY: Final = UUID(int=0)
ANONYMOUS: Final[Principal] = _Anonymous(
    org=_NOBODY, user_id=_NOBODY, session_id=_NOBODY, role="", expires_at=0
)


class PrincipalSigner:
    """The gateway's side."""

    def __init__(self, private_key: str) -> None:
        """`private_key`: base64 of the raw 32-byte seed."""
        self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private_key))

    def sign(self, principal: Principal, audience: str = "") -> str:
        """The header's value; `audience`: the service that it is for."""
        payload = msgspec.json.encode(msgspec.structs.replace(principal, audience=audience))
        return f"{_encode(payload)}.{_encode(self._key.sign(payload))}"


class PrincipalVerifier:
    """A service's side; several keys are good while the gateway's is being changed."""

    def __init__(self, public_keys: str, audience: str = "") -> None:
        """`public_keys`: base64 raw keys, comma-separated. `audience`: the service, which believes none for others.

        One that names no service is believed: gateways of the release before sign such, and nobody else can sign any.
        """
        self._audience = audience
        self._keys = [
            Ed25519PublicKey.from_public_bytes(base64.b64decode(key)) for key in public_keys.split(",") if key
        ]
        self._known: dict[str, Principal] = {}

    def verify(self, token: str) -> Principal:
        """The principal of a header; a 401 problem where it is forged, for another service, or has expired."""
        principal = self._known.get(token)
        if principal is None:
            principal = self._check(token)
            if len(self._known) >= CACHE_SIZE:
                self._known.clear()
            self._known[token] = principal
        if principal.expires_at < time.time():
            self._known.pop(token, None)
            raise UnauthorizedError("The request took too long to arrive: repeat it.")
        return principal

    def _check(self, token: str) -> Principal:
        try:
            payload, signature = (_decode(part) for part in token.split("."))
            for key in self._keys:
                try:
                    key.verify(signature, payload)
                except InvalidSignature:
                    continue
                principal = msgspec.json.decode(payload, type=Principal)
                if self._audience and principal.audience not in ("", self._audience):
                    raise UnauthorizedError("The request was meant for another service.")
                return principal
        except (ValueError, msgspec.DecodeError):
            pass
        raise UnauthorizedError("The request did not come through the gateway.")


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

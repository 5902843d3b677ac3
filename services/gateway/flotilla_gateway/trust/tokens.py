"""Access tokens: Ed25519-signed JWTs of auth (RFC 7519, RFC 8037), each verified once.

Claims: `iss` "flotilla", `reg` the region, `sub` the person, `org`, `sid` the session, `role`, `rid` where it is the
organization's own, `auth_time`, `acr`, `iat`, `exp` at most 15 minutes later; `kid` in the header.
"""

import time
import warnings
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.cells import Cells
from flotilla.problems import UnauthorizedError
from flotilla.security.permissions import ALL, TEAM
from flotilla.security.principal import LIFETIME_SECONDS, Principal, PrincipalSigner
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning

from flotilla_gateway.problems import OrganizationSuspendedError
from flotilla_gateway.trust.session import Session
from flotilla_gateway.trust.standing import REMEMBERED, Standing

# Both names of one algorithm: RFC 8037's, which most libraries write, and RFC 9864's. Only Ed25519 keys are known.
ALGORITHMS: Final = ["Ed25519", "EdDSA"]
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

ISSUER: Final = "flotilla"
TYPE: Final = "JWT"
"""Auth signs other documents with the same keys, which say what they are (RFC 8725 section 3.11)."""
LEEWAY_SECONDS: Final = 30.0
"""Clocks of machines differ; for `iat` and `nbf` only."""
LONGEST_TOKEN: Final = 4096
KEPT_TOKENS: Final = 20_000
RENEW_BEFORE_SECONDS: Final = 20.0
"""A principal is signed anew while it is still good for this long, so that it arrives in time."""

_SIGN_IN: Final = "Sign in again, or refresh the access token."


class Claims(msgspec.Struct, frozen=True):
    """What an access token says; anything else in it is ignored."""

    iss: str
    sub: UUID
    org: UUID
    sid: UUID
    role: str
    iat: float
    exp: float
    nbf: float = 0.0
    auth_time: int = 0
    """When they last proved who they are (OpenID Connect Core, section 2)."""
    acr: str = "aal1"
    """`aal2`: by two factors (NIST SP 800-63B)."""
    scope: str | None = None
    """All that a program may, whose client `sid` names; `sub` made it. None: a person's."""
    rid: UUID | None = None
    """Their organization's own role, where they have one."""
    via: UUID | None = None
    """Of a guest: their own organization; `org` is then the one that lets them read."""
    gid: UUID | None = None
    """Of a guest: the grant by which they may."""
    reads: str = ""
    """Of a guest: all that they may."""


class Claimed(msgspec.Struct, frozen=True):
    """What a token says that was signed by nobody we know."""

    reg: str = ""
    """The region of who made it."""


class PersonSession(Session):
    """A person's session, as one access token shows it."""

    __slots__ = ("claims",)

    def __init__(self, claims: Claims) -> None:
        super().__init__(
            claims.org, claims.sid, f"user:{claims.sub}", f"{claims.org}:{claims.sub}", claims.exp
        )
        self.claims = claims


class GuestSession(PersonSession):
    """A person's session at home, as it reads of another organization: counted where they belong."""

    __slots__ = ()

    def __init__(self, claims: Claims) -> None:
        super().__init__(claims)
        self.bucket = f"{claims.via}:{claims.sub}"


class ClientSession(PersonSession):
    """A partner's program, as a token that it fetched shows it: counted with its organization's other programs."""

    __slots__ = ()

    is_program = True

    def __init__(self, claims: Claims) -> None:
        super().__init__(claims)
        self.actor = f"oauth_client:{claims.sid}"
        self.bucket = str(claims.org)


class Tokens:
    """Turns an access token into a session in good standing."""

    def __init__(
        self,
        standing: Standing,
        signer: PrincipalSigner,
        now: Callable[[], float] = time.time,
        *,
        cells: Cells | None = None,
    ) -> None:
        """`cells`: where tokens of other regions are sent."""
        self._standing = standing
        self._cells = cells
        self._signer = signer
        self._now = now
        self._known: OrderedDict[bytes, PersonSession] = OrderedDict()
        self._clients: dict[UUID, dict[str, float]] = {}
        """By organization and client, until when the last token seen of it is good."""

    def session(self, token: bytes) -> PersonSession:
        """The session; a 401 problem for a token that is not good, 403 where its organization is suspended."""
        now = self._now()
        session = self._known.get(token)
        if session is None:
            session = self._verify(token, now)
        elif session.expires_at <= now:
            del self._known[token]
            raise UnauthorizedError(f"The access token has expired. {_SIGN_IN}")
        if session.epoch != self._standing.epoch:
            self._reconsider(session, token, now)
        elif session.renew_at <= now:
            self._sign(session, now)
        return session

    def is_over(self, session: Session) -> bool:
        """Whether what was good has ended meanwhile."""
        return self._standing.has_ended(UUID(session.session)) or session.expires_at <= self._now()

    def has_other_client(self, org: UUID, program: str) -> bool:
        """Whether another OAuth client of the organization than this program called with a token that is still good."""
        clients = self._clients.get(org)
        if clients is None:
            return False
        now = self._now()
        return any(client != program and expires_at > now for client, expires_at in clients.items())

    def _verify(self, token: bytes, now: float) -> PersonSession:
        claims = self._read(token)
        if claims.exp <= now:
            raise UnauthorizedError(f"The access token has expired. {_SIGN_IN}")
        too_early = max(claims.iat, claims.nbf) > now + LEEWAY_SECONDS
        too_long = claims.exp - claims.iat > REMEMBERED.total_seconds()
        if claims.iss != ISSUER or too_early or too_long:
            raise UnauthorizedError(f"The access token is not one that is good here. {_SIGN_IN}")
        while len(self._known) >= KEPT_TOKENS:
            self._known.popitem(last=False)
        made = PersonSession if claims.scope is None else ClientSession
        if claims.via is not None:
            made = GuestSession
        session = self._known[token] = made(claims)
        if session.is_program:
            self._clients.setdefault(session.org_id, {})[session.session] = session.expires_at
        return session

    def _read(self, token: bytes) -> Claims:
        try:
            if len(token) > LONGEST_TOKEN:
                raise ValueError
            unverified = jws.extract_compact(token)
            header: dict[str, Any] = unverified.headers()
            if header.get("typ", TYPE) != TYPE:
                raise ValueError
            key = self._standing.keys.find(header.get("kid"))
            if key is None:
                self._send_home(unverified.payload)
                raise ValueError
            signed = jws.deserialize_compact(token, key, algorithms=ALGORITHMS)
            return msgspec.json.decode(signed.payload, type=Claims)
        except (JoseError, ValueError, TypeError, msgspec.DecodeError):
            raise UnauthorizedError(f"The access token is not valid. {_SIGN_IN}") from None

    def _send_home(self, payload: bytes) -> None:
        """A 421 problem where a token says that it is of another region's cell; whether it is, that will see."""
        claimed = msgspec.json.decode(payload, type=Claimed)
        if self._cells is not None and (found := self._cells.elsewhere(claimed.reg)) is not None:
            raise found

    def _reconsider(self, session: PersonSession, token: bytes, now: float) -> None:
        """Something changed: is its key still good, its session open, its holder a member, with which role?"""
        claims = session.claims
        home = claims.via or claims.org
        member = self._standing.membership(home, claims.sub)
        if session.epoch and self._key_is_gone(token):
            ended = True
        else:
            ended = self._standing.has_ended(claims.sid) or (member is not None and member.state != "active")
            ended = ended or (claims.gid is not None and self._standing.has_ended(claims.gid))
        if ended:
            self._known.pop(token, None)
            raise UnauthorizedError(f"This session has ended. {_SIGN_IN}")
        if self._standing.is_suspended(claims.org) or self._standing.is_suspended(home):
            raise OrganizationSuspendedError("An owner can have it opened again by Flotilla's operators.")
        session.epoch = self._standing.epoch
        self._sign(session, now)

    def _key_is_gone(self, token: bytes) -> bool:
        return self._standing.keys.find(jws.extract_compact(token).headers().get("kid")) is None

    def _sign(self, session: PersonSession, now: float) -> None:
        claims = session.claims
        if claims.via is not None:
            self._sign_guest(session, now)
            return
        member = self._standing.membership(claims.org, claims.sub)
        role, role_id = (claims.role, claims.rid) if member is None else (member.role, member.role_id)
        grants = None if role_id is None else self._standing.grants(claims.org, role_id)
        in_teams = grants is not None and TEAM in grants.values()
        principal = Principal(
            org=claims.org,
            user_id=claims.sub,
            session_id=claims.sid,
            role=role,
            grants=grants,
            colleagues=self._standing.colleagues(claims.org, claims.sub) if in_teams else (),
            authenticated_at=claims.auth_time,
            factors=2 if claims.acr == "aal2" else 1,
            scopes=None if claims.scope is None else tuple(claims.scope.split()),
            program="api_key" if claims.scope is None else "oauth_client",
            expires_at=int(now + LIFETIME_SECONDS),
        )
        session.signs(partial(self._signer.sign, principal))
        session.renew_at = now + LIFETIME_SECONDS - RENEW_BEFORE_SECONDS

    def _sign_guest(self, session: PersonSession, now: float) -> None:
        claims = session.claims
        principal = Principal(
            org=claims.org,
            user_id=claims.sub,
            session_id=claims.sid,
            role=claims.role,
            grants=dict.fromkeys(claims.reads.split(), ALL),
            via=claims.via,
            grant_id=claims.gid,
            expires_at=int(now + LIFETIME_SECONDS),
        )
        session.signs(partial(self._signer.sign, principal))
        session.renew_at = now + LIFETIME_SECONDS - RENEW_BEFORE_SECONDS

"""A sign-in elsewhere, begun and ended by the same client.

Who begins gets a token that nobody else has; state, nonce and PKCE's verifier are derived from it. So whoever is
brought a link to somebody else's end of a sign-in (login CSRF), or intercepts a code, has nothing to end it with.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla.app import App
from flotilla.http import ConflictError, NotFoundError
from flotilla.problems import UnauthorizedError
from flotilla.security.keyed_hashes import Hashes, KeyedHashes

from flotilla_auth.domain.opaque import digest, new_flow_token
from flotilla_auth.oidc.github import GitHub
from flotilla_auth.oidc.issuer import Claims, Issuer
from flotilla_auth.resources import own
from flotilla_auth.store import oidc_flows
from flotilla_auth.store.oidc_flows import Flow

CALLBACK: Final = "/sign-in/callback"
"""The page of the console that issuers send people back to."""
ENDED: Final = "This sign-in took too long, or has ended: begin again."


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what whoever began keeps."""

    authorization_url: str
    flow_token: str


async def begin(app: App, provider: str, user_id: UUID | None, organization_id: UUID | None) -> Begun:
    """Begin one; with `user_id`, to link the account to somebody who is signed in."""
    issuer, token = issuer_of(app, provider), new_flow_token()
    challenge = _encode(hashlib.sha256(_derived(token, "verifier").encode()).digest())
    url = await issuer.authorization_url(
        own(app).settings.links + CALLBACK, _derived(token, "state"), _derived(token, "nonce"), challenge
    )
    async with app.db.transaction(()) as tx:
        await oidc_flows.insert(tx, digest(token), Flow(provider, user_id, organization_id))
    return Begun(url, token)


async def end(app: App, token: str, state: str, code: str, user_id: UUID | None) -> tuple[Flow, Claims]:
    """What the issuer says; a 401 problem where it is not the end of what this client, and this person, began.

    It is over before the code is shown to the issuer: a second use of either finds nothing.
    """
    if not hmac.compare_digest(_derived(token, "state").encode(), state.encode()):
        raise UnauthorizedError(ENDED)
    flow = await oidc_flows.spend(app.db, digest(token))
    if flow is None:
        raise UnauthorizedError(ENDED)
    if flow.user_id != user_id:
        raise ConflictError("This was begun by, or for, somebody else.")
    claims = await issuer_of(app, flow.provider).exchange(
        code, own(app).settings.links + CALLBACK, _derived(token, "verifier"), _derived(token, "nonce")
    )
    return flow, claims


def issuer_of(app: App, provider: str) -> Issuer | GitHub:
    """By its name; a 404 problem where there is none."""
    issuer = own(app).issuers.get(provider)
    if issuer is None:
        raise NotFoundError("There is no such way to sign in: GET /v1/identity-providers.")
    return issuer


def subject_hash(app: App, claims: Claims) -> Hashes:
    """Keyed: who steals the table cannot look for somebody's account in it."""
    return KeyedHashes(app.keyring, "auth: hashes of subjects").of(claims.sub.encode())


def _derived(token: str, purpose: str) -> str:
    return _encode(hmac.new(token.encode(), purpose.encode(), hashlib.sha256).digest())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

"""POST /v1/sign-in, /v1/tokens/refresh and /v1/sign-out."""

from collections.abc import Sequence
from uuid import UUID

from flotilla.http import ForbiddenError, Routes, Tx, Who, Work
from flotilla.problems import UnauthorizedError

from flotilla_auth import sessions
from flotilla_auth.api.fields import Body, Email, Password, Token
from flotilla_auth.api.requests import FromDevice, NoStore, in_the_name_of
from flotilla_auth.api.views import SignedIn, TokensView
from flotilla_auth.domain.opaque import digest
from flotilla_auth.proof import prove
from flotilla_auth.store import credentials, organizations, users
from flotilla_auth.store import sessions as session_store

routes = Routes("/v1", tag="sign-in")


class SignIn(Body):
    """Who, and by which password."""

    email: Email
    password: Password
    organization_id: UUID | None = None
    """For people in several; by default the one they joined first."""


class Refresh(Body):
    """The last refresh token of a session."""

    refresh_token: Token


@routes.post("/sign-in", permission="public", limit="sign_in", dependencies=[NoStore])
async def sign_in(body: SignIn, work: Work, device: FromDevice) -> SignedIn:
    """Begin a session.

    401 where address or password is wrong, not saying which; 429 with Retry-After after too many attempts.
    """
    app = work.app
    user_id = await prove(app, body.email, body.password.get_secret_value(), device, work.cause)
    cause = in_the_name_of(user_id, work)
    for organization_id in _choices(await credentials.memberships(app.db, user_id), body.organization_id):
        async with app.db.transaction(organization_id, cause=cause) as tx:
            user = await users.hold(tx, organization_id, user_id)
            if user is None or not user.active:
                continue
            organization = await organizations.read(tx, organization_id)
            tokens = await sessions.begin(tx, user, method="password", device=device)
        return SignedIn.of(tokens, user, organization)
    raise ForbiddenError("You have no access to this organization: ask its administrators.")


@routes.post("/tokens/refresh", permission="public", limit="sign_in", dependencies=[NoStore])
async def refresh(body: Refresh, work: Work) -> TokensView:
    """Exchange a refresh token for new tokens; each is good once.

    401 where it is not good any more. One that was used before ends its session, whoever sends it.
    """
    token_hash = digest(body.refresh_token.get_secret_value())
    family = await session_store.find_token(work.app.db, token_hash)
    tokens = None
    if family is not None:
        cause = in_the_name_of(family.user_id, work)
        # Committed before the refusal is raised: the end of a stolen session must stand.
        async with work.app.db.transaction(family.organization_id, cause=cause) as tx:
            tokens = await sessions.renew(tx, family, token_hash)
    if tokens is None:
        raise UnauthorizedError("This refresh token is not good any more: sign in again.")
    return TokensView(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        refresh_expires_at=tokens.refresh_expires_at,
    )


@routes.post("/sign-out", permission="profile:write", status_code=204)
async def sign_out(tx: Tx, who: Who) -> None:
    """End the caller's own session: its tokens are refused from now on."""
    await sessions.end(tx, who.org, who.session_id, "signed_out")


def _choices(memberships: Sequence[UUID], wanted: UUID | None) -> Sequence[UUID]:
    return memberships if wanted is None else [one for one in memberships if one == wanted]

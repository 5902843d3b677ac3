"""POST /v1/sign-in and its second step, /v1/tokens/refresh and /v1/sign-out."""

from uuid import UUID

from flotilla.http import Routes, Tx, Who, Work
from flotilla.problems import UnauthorizedError

from flotilla_auth import entrance, second_factor, sessions
from flotilla_auth.api.fields import Body, Code, Email, OneAnswer, Password, Token
from flotilla_auth.api.requests import FromDevice, NoStore, in_the_name_of
from flotilla_auth.api.views import AuthenticatorView, SecondStep, SignedIn, TokensView
from flotilla_auth.domain.opaque import digest
from flotilla_auth.proof import prove
from flotilla_auth.store import sessions as session_store
from flotilla_auth.store import users

routes = Routes("/v1", tag="sign-in")


class SignIn(Body):
    """Who, and by which password."""

    email: Email
    password: Password
    organization_id: UUID | None = None
    """For people in several; by default the one they joined first."""


class SecondFactor(OneAnswer):
    """Who is half-way in, and their second factor."""

    pending_token: Token


class Enrolment(Body):
    """Who is half-way in."""

    pending_token: Token


class EnrolmentCode(Enrolment):
    """The same, and a code of their authenticator."""

    code: Code


class Refresh(Body):
    """The last refresh token of a session."""

    refresh_token: Token


@routes.post("/sign-in", permission="public", limit="sign_in", dependencies=[NoStore])
async def sign_in(body: SignIn, work: Work, device: FromDevice) -> SignedIn | SecondStep:
    """Begin a session, or the second step of it: `state` says which.

    401 where address or password is wrong, not saying which; 429 with Retry-After after too many attempts.
    """
    password = body.password.get_secret_value()
    user_id = await prove(work.app, body.email, password, device, work.cause)
    return await entrance.enter(work, user_id, body.organization_id, method="password", device=device)


@routes.post("/sign-in/second-factor", permission="public", limit="sign_in", dependencies=[NoStore])
async def prove_second_factor(body: SecondFactor, work: Work, device: FromDevice) -> SignedIn:
    """End a sign-in that waits for the second factor; a passkey answers POST /v1/sign-in/second-factor/passkey.

    401 where it is wrong or was used before, or the sign-in has ended; 429 after too many attempts.
    """
    return await entrance.finish(work, body.pending_token.get_secret_value(), body.answer(), device)


@routes.post("/sign-in/enrolment", permission="public", limit="sign_in", dependencies=[NoStore])
async def begin_enrolment(body: Enrolment, work: Work) -> AuthenticatorView:
    """The secret of an authenticator for somebody whose organization demands one."""
    found = await entrance.enrolling(work, body.pending_token.get_secret_value())
    async with work.app.db.transaction(found.organization_id, cause=work.cause) as tx:
        user = await users.hold(tx, found.organization_id, found.user_id)
        if user is None:
            raise UnauthorizedError(entrance.ENDED)
        return AuthenticatorView.of(await second_factor.offer(tx, user.id), user.email)


@routes.post("/sign-in/enrolment/complete", permission="public", limit="sign_in", dependencies=[NoStore])
async def complete_enrolment(body: EnrolmentCode, work: Work, device: FromDevice) -> SignedIn:
    """Add the authenticator with a code of it: signed in, with recovery codes that are shown this once."""
    return await entrance.enrol(work, body.pending_token.get_secret_value(), body.code, device)


@routes.post("/tokens/refresh", permission="public", limit="sign_in", dependencies=[NoStore])
async def refresh_tokens(body: Refresh, work: Work) -> TokensView:
    """Exchange a refresh token for new tokens; each is good once.

    Who lost the answer asks again with the same token within 30 seconds, and is given the same next one; so are two
    tabs that ask at once. 401 where it is not good any more. One that is used again later, or after its next one,
    ends its session, whoever sends it.
    """
    token = body.refresh_token.get_secret_value()
    family = await session_store.find_token(work.app.db, digest(token))
    tokens = None
    if family is not None:
        cause = in_the_name_of(family.user_id, work)
        # Committed before the refusal is raised: the end of a stolen session must stand.
        async with work.app.db.transaction(family.organization_id, cause=cause) as tx:
            tokens = await sessions.renew(tx, family, token)
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

"""/v1/sign-in/passkey, …/second-factor/passkey and …/enrolment/passkey: passkeys of people who are on their way in."""

from uuid import UUID

from flotilla.http import CurrentApp, Routes, Work
from flotilla.problems import UnauthorizedError

from flotilla_auth import entrance, passkeys
from flotilla_auth.api.fields import Body, Token, UsedCredential
from flotilla_auth.api.passkeys import NewPasskey, PublicKeyView
from flotilla_auth.api.requests import FromDevice, NoStore
from flotilla_auth.api.views import SignedIn
from flotilla_auth.domain.opaque import digest
from flotilla_auth.store import users

routes = Routes("/v1/sign-in", tag="sign-in")


class HalfWay(Body):
    """Who is half-way in."""

    pending_token: Token


class EnrolledPasskey(NewPasskey):
    """The same of somebody who is half-way in."""

    pending_token: Token


class PasskeySignIn(Body):
    """The authenticator's answer; it says who it is."""

    credential: UsedCredential
    organization_id: UUID | None = None
    """For people in several; by default the one they joined first."""


@routes.post("/passkey", permission="public", limit="sign_in", dependencies=[NoStore])
async def begin_passkey_sign_in(app: CurrentApp) -> PublicKeyView:
    """Begin to sign in with a passkey alone: which one, and so who, is chosen in the browser."""
    return PublicKeyView(public_key=await passkeys.ask(app, passkeys.SIGN_IN))


@routes.post("/passkey/complete", permission="public", limit="sign_in", dependencies=[NoStore])
async def complete_passkey_sign_in(body: PasskeySignIn, work: Work, device: FromDevice) -> SignedIn:
    """End it: a session with two factors (`aal2`), for the authenticator made sure of its owner.

    401 where it is not the answer of a passkey that is known here; 403 without access to the organization.
    """
    proof, whom = (passkeys.SIGN_IN, body.credential.plain()), (device, work.cause)
    user_id = await passkeys.prove(work.app, *proof, *whom)
    entered = await entrance.enter(
        work, user_id, body.organization_id, method=passkeys.PASSKEY, device=device, proven=2
    )
    assert isinstance(entered, SignedIn), "two factors were proven"
    return entered


@routes.post("/second-factor/passkey", permission="public", limit="sign_in", dependencies=[NoStore])
async def begin_passkey_second_factor(body: HalfWay, work: Work) -> PublicKeyView:
    """Begin the second step with a passkey; POST /v1/sign-in/second-factor ends it."""
    token = body.pending_token.get_secret_value()
    found = await entrance.pending(work, token)
    asked = await passkeys.ask(work.app, passkeys.SECOND_FACTOR, found.user_id, digest(token))
    return PublicKeyView(public_key=asked)


@routes.post("/enrolment/passkey", permission="public", limit="sign_in", dependencies=[NoStore])
async def begin_passkey_enrolment(body: HalfWay, work: Work) -> PublicKeyView:
    """Begin to add a passkey for somebody whose organization demands a second factor."""
    token = body.pending_token.get_secret_value()
    found = await entrance.enrolling(work, token)
    async with work.app.db.transaction(found.organization_id, cause=work.cause) as tx:
        user = await users.read(tx, found.organization_id, found.user_id)
    if user is None:
        raise UnauthorizedError(entrance.ENDED)
    return PublicKeyView(public_key=await passkeys.offer(work.app, passkeys.ENROL, user, digest(token)))


@routes.post("/enrolment/passkey/complete", permission="public", limit="sign_in", dependencies=[NoStore])
async def complete_passkey_enrolment(body: EnrolledPasskey, work: Work, device: FromDevice) -> SignedIn:
    """Add it: signed in, with recovery codes that are shown this once."""
    token = body.pending_token.get_secret_value()
    plain = body.credential.plain()
    return await entrance.enrol_passkey(work, token, plain, body.called(device), device)

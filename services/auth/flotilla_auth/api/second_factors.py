"""/v1/me/second-factors, /v1/me/totp, /v1/me/recovery-codes and /v1/step-up: the caller's own."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import Response
from flotilla.events.security import UserRecoveryCodeRenewed, UserStepUpPassed
from flotilla.http import ConflictError, Routes, Tx, UnprocessableError, Who, Work
from flotilla.http.work import RequestWork
from flotilla.problems import UnauthorizedError
from pydantic import BaseModel, Field, model_validator

from flotilla_auth import events, ownership, passkeys, second_factor, sessions
from flotilla_auth.api.fields import Body, Code, Password, UsedCredential
from flotilla_auth.api.me import there
from flotilla_auth.api.requests import FromDevice, NoStore
from flotilla_auth.api.views import AuthenticatorView
from flotilla_auth.domain.second_factor import Answer
from flotilla_auth.domain.signing import ACCESS_LIFETIME
from flotilla_auth.proof import prove_again
from flotilla_auth.store import credentials, factors, organizations, users
from flotilla_auth.store import passkeys as passkey_store
from flotilla_auth.store import sessions as session_store
from flotilla_auth.store.sessions import Device

routes = Routes("/v1", tag="me")


class SecondFactorsView(BaseModel):
    """Which the caller has."""

    totp: bool
    totp_since: datetime | None
    passkeys: int
    """How many they have: GET /v1/me/passkeys."""
    recovery_codes: int
    """How many are left."""
    required: bool
    """Whether their organization demands one."""


class TotpCode(Body):
    """A code of the authenticator."""

    code: Code


class RecoveryCodesView(BaseModel):
    """Shown this once; each is good once, where no second factor is at hand. None where they have some already."""

    recovery_codes: list[str]


class StepUp(Body):
    """One of them: a second factor of who has one, else the password."""

    password: Password | None = None
    code: Code | None = None
    recovery_code: Annotated[str, Field(max_length=40)] | None = None
    passkey: UsedCredential | None = None
    """Its answer to POST /v1/step-up/passkey."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = (self.password, self.code, self.recovery_code, self.passkey)
        if sum(each is not None for each in given) != 1:
            raise ValueError("gives a password, a code, a recovery code, or a passkey")
        return self


class AccessView(BaseModel):
    """An access token of the same session, which says that they have just proven who they are."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int = int(ACCESS_LIFETIME.total_seconds())


@routes.get("/me/second-factors", permission="profile:read")
async def read_second_factors(tx: Tx, who: Who) -> SecondFactorsView:
    """Which the caller has, and whether one is demanded."""
    totp = await factors.read_totp(tx, who.user_id)
    _, codes = await factors.methods(tx, who.user_id)
    since = totp["confirmed_at"] if totp else None
    required = (await organizations.read(tx, who.org)).second_factor_required
    return SecondFactorsView(
        totp=since is not None,
        totp_since=since,
        passkeys=len(await passkey_store.list_of(tx, who.user_id)),
        recovery_codes=codes,
        required=required,
    )


@routes.post("/me/totp", permission="profile:write", status_code=201, recent=True, dependencies=[NoStore])
async def offer_totp(work: Work, who: Who, response: Response) -> AuthenticatorView:
    """The secret for an authenticator; it protects nothing before POST /v1/me/totp/confirm. 409 where there is one, 403
    `email-unverified` before the caller's address is known to be theirs."""
    mine = await credentials.memberships(work.app.db, who.user_id)
    async with work.app.db.transaction(mine, cause=work.cause) as tx:
        await ownership.check(tx, who, mine)
        user = there(await users.hold(tx, who.org, who.user_id))
        response.headers["Location"] = "/v1/me/second-factors"
        return AuthenticatorView.of(await second_factor.offer(tx, who.user_id), user.email)


@routes.post("/me/totp/confirm", permission="profile:write", recent=True, dependencies=[NoStore])
async def confirm_totp(body: TotpCode, work: Work, who: Who) -> RecoveryCodesView:
    """Add the authenticator with a code of it; every other session of the caller ends. 422 where the code is wrong."""
    app = work.app
    mine = await credentials.memberships(app.db, who.user_id)
    async with app.db.transaction(mine, cause=work.cause) as tx:
        await ownership.check(tx, who, mine)
        codes = await second_factor.confirm(tx, mine, who.org, who.user_id, body.code)
        if codes is None:
            detail = "This code is wrong: is the clock of your device right?"
            raise UnprocessableError(detail, errors=[{"pointer": "/code", "detail": detail}])
        await sessions.end_everywhere(tx, mine, who.user_id, "second_factor_changed", but=who.session_id)
        await session_store.authenticate(tx, who.org, who.session_id, 2)
    return RecoveryCodesView(recovery_codes=codes)


@routes.delete("/me/totp", permission="profile:write", status_code=204, recent=True)
async def remove_totp(work: Work, who: Who) -> None:
    """Remove the authenticator; every other session of the caller ends. Recovery codes go with the last factor.

    409 where there is none, or it is the last and an organization of the caller demands one.
    """
    mine = await credentials.memberships(work.app.db, who.user_id)
    async with work.app.db.transaction(mine, cause=work.cause) as tx:
        await second_factor.remove(tx, mine, who.org, who.user_id)
        await sessions.end_everywhere(tx, mine, who.user_id, "second_factor_changed", but=who.session_id)


@routes.post("/me/recovery-codes", permission="profile:write", recent=True, dependencies=[NoStore])
async def renew_recovery_codes(work: Work, who: Who) -> RecoveryCodesView:
    """Ten others: those from before are good no longer. 409 where there is no second factor that they stand in for."""
    mine = await credentials.memberships(work.app.db, who.user_id)
    async with work.app.db.transaction(mine, cause=work.cause) as tx:
        await events.security(tx, mine, who.user_id, UserRecoveryCodeRenewed(user_id=who.user_id))
        if not (await factors.methods(tx, who.user_id))[0]:
            raise ConflictError("You have no second factor.")
        return RecoveryCodesView(recovery_codes=await second_factor.renew_recovery_codes(tx, who.user_id))


@routes.post("/step-up", permission="profile:write", limit="sign_in", dependencies=[NoStore])
async def step_up(body: StepUp, work: Work, who: Who, device: FromDevice) -> AccessView:
    """Prove anew who one is, for what is sensitive: the new access token says so for ten minutes.

    422 where it is wrong, or not the factor that it takes; 429 after too many attempts.
    """
    app = work.app
    method = await _prove(work, who.org, who.user_id, body, device)
    async with app.db.transaction(who.org, cause=work.cause) as tx:
        user = there(await users.lock(tx, who.org, who.user_id))
        count = 1 if method == "password" else 2
        session = await session_store.authenticate(tx, who.org, who.session_id, count)
        if session is None or not user.active:
            raise UnauthorizedError("This session has ended: sign in again.")
        passed = UserStepUpPassed(user_id=who.user_id, session_id=who.session_id, method=method)
        await events.security(tx, [who.org], who.user_id, passed)
    return AccessView(access_token=sessions.access_token(app, session, user))


async def _prove(work: RequestWork, org: UUID, user_id: UUID, body: StepUp, device: Device) -> str:
    app = work.app
    have, _ = await factors.methods(app.db, user_id)
    if body.password is None:
        try:
            if body.passkey is not None:
                whom, bound_to = (device, work.cause), work.who.session_id.bytes
                proof = (passkeys.STEP_UP, body.passkey.plain())
                await passkeys.prove(app, *proof, *whom, user_id=user_id, bound_to=bound_to)
                return passkeys.PASSKEY
            answer = Answer(body.code, body.recovery_code)
            return await second_factor.prove(app, user_id, answer, device, work.cause)
        except UnauthorizedError as error:
            raise UnprocessableError(error.detail) from None
    if have:
        detail = "It takes your second factor."
        raise UnprocessableError(detail, errors=[{"pointer": "/password", "detail": detail}])
    async with app.db.transaction(org, cause=work.cause) as tx:
        email = there(await users.read(tx, org, user_id)).email
    if not await prove_again(app, email, body.password.get_secret_value()):
        detail = "This is not your password."
        raise UnprocessableError(detail, errors=[{"pointer": "/password", "detail": detail}])
    return "password"

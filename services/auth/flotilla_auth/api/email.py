"""/v1/email-verifications and /v1/password-resets: what is done with tokens from mails."""

from flotilla.http import Routes, Tx, Who, Work

from flotilla_auth import recovery
from flotilla_auth.api.fields import Body, Email, Password, Token
from flotilla_auth.mail import sending
from flotilla_auth.resources import own
from flotilla_auth.store import credentials

routes = Routes("/v1", tag="sign-in")


class Forgotten(Body):
    """Whose password was forgotten."""

    email: Email


class Reset(Body):
    """The token of the mail, and the password to have from now on."""

    token: Token
    password: Password


class Verify(Body):
    """The token of the mail."""

    token: Token


@routes.post("/password-resets", permission="public", limit="sign_in", status_code=202)
async def request_password_reset(body: Forgotten, work: Work) -> None:
    """Have a link sent by mail with which to choose another password.

    202 whether anybody has the address or not: it is looked up later, by what sends the mail.
    """
    async with work.app.db.transaction((), cause=work.cause) as tx:
        sending.to_address(tx, sending.RESET, own(work.app).emails.of(body.email))


@routes.post("/password-resets/complete", permission="public", limit="sign_in", status_code=204)
async def complete_password_reset(body: Reset, work: Work) -> None:
    """Choose another password with the token of the mail; all sessions end.

    404 where the token is not good any more, 422 where the password will not do: then the token is still good.
    A second factor stays what it is, and is asked for at the next sign-in; but where nobody had shown yet that mail to
    this address reaches them, whatever was added to the account before goes: it may have been another's.
    """
    await recovery.reset_password(work, body.token.get_secret_value(), body.password)


@routes.post("/email-verifications", permission="profile:write", status_code=202)
async def request_email_verification(tx: Tx, who: Who) -> None:
    """Have the mail sent again that shows one's address to be one's own; nothing is sent where that is known."""
    found = await credentials.read(tx, who.user_id)
    if found is not None and found["email_verified_at"] is None:
        sending.to_person(tx, sending.VERIFY, who.org, who.user_id)


@routes.post("/email-verifications/complete", permission="profile:write", limit="sign_in", status_code=204)
async def complete_email_verification(body: Verify, work: Work, who: Who) -> None:
    """Show one's address to be one's own with the token of the mail, signed in to the account that it was sent for.

    404 where it is not good any more, 409 where it is of another account.
    """
    await recovery.verify_email(work, body.token.get_secret_value(), who.user_id)

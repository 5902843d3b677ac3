"""/v1/me/password: the caller's own."""

from flotilla.http import Routes, Who, Work
from flotilla.problems import UnprocessableError

from flotilla_auth import recovery
from flotilla_auth.api.fields import Body, Password, check_password
from flotilla_auth.api.me import there
from flotilla_auth.mail import sending
from flotilla_auth.proof import prove_again
from flotilla_auth.resources import own
from flotilla_auth.store import credentials, users

routes = Routes("/v1/me/password", tag="me")


class PasswordChange(Body):
    """The one that is, and the one that shall be."""

    current_password: Password
    password: Password


@routes.put("", permission="profile:write", status_code=204, recent=True)
async def change_password(body: PasswordChange, work: Work, who: Who) -> None:
    """Change it: every other session of the caller ends. 422 where either will not do, 429 after too many guesses."""
    app = work.app
    async with app.db.transaction(who.org, cause=work.cause) as tx:
        user = there(await users.read(tx, who.org, who.user_id))
    if not await prove_again(app, user.email, body.current_password.get_secret_value()):
        detail = "This is not your password."
        raise UnprocessableError(detail, errors=[{"pointer": "/current_password", "detail": detail}])
    await check_password(app, body.password, user.email)
    password_hash = await own(app).passwords.hash(body.password.get_secret_value())
    organizations = await credentials.memberships(app.db, who.user_id)
    async with app.db.transaction(organizations, cause=work.cause) as tx:
        await recovery.set_password(
            tx, organizations, who.user_id, password_hash, how="changed", but=who.session_id
        )
        sending.to_person(tx, "password_changed", who.org, who.user_id)

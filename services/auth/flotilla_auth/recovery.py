"""What a token from a mail does: it shows that an address is its owner's, and lets them choose a new password."""

from uuid import UUID

from flotilla.events.security import UserPasswordChanged
from flotilla.http import ConflictError, NotFoundError
from flotilla.http.work import RequestWork
from flotilla.store.postgres import Transaction
from pydantic import SecretStr

from flotilla_auth import events, ownership, sessions
from flotilla_auth.api.fields import check_password
from flotilla_auth.api.requests import in_the_name_of
from flotilla_auth.domain.opaque import digest
from flotilla_auth.mail import sending
from flotilla_auth.resources import own
from flotilla_auth.store import credentials, email_tokens, pending_sign_ins, users

GONE = "This link is not good any more: ask for another."


async def verify_email(work: RequestWork, token: str, user_id: UUID) -> None:
    """The caller's address is theirs; a 404 problem where the token is not good any more, 409 where it is another's.

    Only in a session of the account: somebody who opens a mail that another's sign-up sent them shall not make that
    account look like their own.
    """
    token_hash = digest(token)
    if await _holder(work, token_hash, sending.VERIFY) != user_id:
        raise ConflictError("This link is of another account: sign in to that one, and open it again.")
    organizations = await credentials.memberships(work.app.db, user_id)
    async with work.app.db.transaction(organizations, cause=work.cause) as tx:
        await _spend(tx, token_hash, sending.VERIFY)
        await ownership.shown(tx, organizations, user_id, anew=False)


async def reset_password(work: RequestWork, token: str, password: SecretStr) -> None:
    """Another password, and every session ended; a 422 problem where it will not do, and the token stays good."""
    app, token_hash = work.app, digest(token)
    user_id = await _holder(work, token_hash, sending.RESET)
    organizations = await credentials.memberships(app.db, user_id)
    async with app.db.transaction(organizations) as tx:
        user = await users.first_active(tx, organizations, user_id)
    if user is None:
        raise NotFoundError(GONE)
    await check_password(app, password, user.email)
    password_hash = await own(app).passwords.hash(password.get_secret_value())
    async with app.db.transaction(organizations, cause=in_the_name_of(user_id, work)) as tx:
        await _spend(tx, token_hash, sending.RESET)
        await set_password(tx, organizations, user_id, password_hash, how="reset")
        # The mail with the token reached them, who may never have seen this account before.
        await ownership.shown(tx, organizations, user_id, anew=True)
        sending.to_person(tx, "password_changed", user.organization_id, user_id)


async def set_password(
    tx: Transaction,
    organizations: list[UUID],
    user_id: UUID,
    password_hash: str,
    *,
    how: str,
    but: UUID | None = None,
) -> None:
    """Change it, and end every session but one: whoever knew the old one, or has a link to choose another, is out."""
    await events.security(tx, organizations, user_id, UserPasswordChanged(user_id=user_id, how=how))
    await credentials.set_password(tx, user_id, password_hash)
    await email_tokens.forget(tx, user_id, sending.RESET)
    await pending_sign_ins.delete_of(tx, user_id)
    await sessions.end_everywhere(tx, organizations, user_id, "password_changed", but=but)


async def _holder(work: RequestWork, token_hash: bytes, purpose: str) -> UUID:
    user_id = await email_tokens.find(work.app.db, token_hash, purpose)
    if user_id is None:
        raise NotFoundError(GONE)
    return user_id


async def _spend(tx: Transaction, token_hash: bytes, purpose: str) -> None:
    """Of two who use it at once, one waits for the other here, and finds it gone."""
    if not await email_tokens.spend(tx, token_hash, purpose):
        raise NotFoundError(GONE)

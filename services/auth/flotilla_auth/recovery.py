"""What a token from a mail does: it shows that an address is its owner's, and lets them choose a new password."""

from uuid import UUID

from flotilla.events.security import UserEmailVerified, UserPasswordChanged
from flotilla.http import NotFoundError
from flotilla.http.work import RequestWork
from flotilla.store.postgres import Transaction
from pydantic import SecretStr

from flotilla_auth import events, sessions
from flotilla_auth.api.fields import check_password
from flotilla_auth.api.requests import in_the_name_of
from flotilla_auth.domain.opaque import digest
from flotilla_auth.mail import sending
from flotilla_auth.resources import own
from flotilla_auth.store import credentials, email_tokens, pending_sign_ins, users

GONE = "This link is not good any more: ask for another."


async def verify_email(work: RequestWork, token: str) -> None:
    """The address is theirs; a 404 problem where the token is not good any more."""
    token_hash = digest(token)
    user_id = await _holder(work, token_hash, sending.VERIFY)
    organizations = await credentials.memberships(work.app.db, user_id)
    async with work.app.db.transaction(organizations, cause=in_the_name_of(user_id, work)) as tx:
        await _spend(tx, token_hash, sending.VERIFY)
        await _verified(tx, organizations, user_id)


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
        # The mail with the token reached them.
        await _verified(tx, organizations, user_id)
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
    """Change it, and end every session but one: whoever knew the old one is out."""
    await events.security(tx, organizations, user_id, UserPasswordChanged(user_id=user_id, how=how))
    await credentials.set_password(tx, user_id, password_hash)
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


async def _verified(tx: Transaction, organizations: list[UUID], user_id: UUID) -> None:
    if await credentials.verify_email(tx, user_id):
        await events.security(tx, organizations, user_id, UserEmailVerified(user_id=user_id))

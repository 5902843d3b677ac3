"""Whose an account elsewhere is.

It is linked by its owner, signed in here; or by itself where both sides know that the address is its owner's: the
issuer says so of the address, and here a mail to it was answered. Else whoever signs up with somebody's address,
here or there, would share an account with them.
"""

from typing import Final
from uuid import UUID

from flotilla.events.security import UserIdentityLinked, UserIdentityUnlinked
from flotilla.http import ConflictError, ForbiddenError, NotFoundError
from flotilla.http.work import RequestWork
from flotilla.store.postgres import Transaction

from flotilla_auth import events
from flotilla_auth.api.requests import in_the_name_of
from flotilla_auth.domain import names
from flotilla_auth.mail import sending
from flotilla_auth.oidc.flows import subject_hash
from flotilla_auth.oidc.issuer import Claims
from flotilla_auth.resources import own
from flotilla_auth.store import credentials, identities, pending_sign_ins, users

NOBODY: Final = "Nobody here signs in with this account. If you have one here, sign in and link it."
MOST: Final = 10
"""Accounts elsewhere of one person."""


async def person_of(work: RequestWork, provider: str, claims: Claims) -> UUID:
    """Who signs in with this account; a 403 problem where nobody does, and nobody may by its address."""
    app = work.app
    found = await identities.use(app.db, claims.iss, subject_hash(app, claims))
    if found is not None:
        return found
    user_id = await _by_address(work, claims)
    if user_id is None:
        raise ForbiddenError(NOBODY)
    mine = await credentials.memberships(app.db, user_id)
    async with app.db.transaction(mine, cause=in_the_name_of(user_id, work)) as tx:
        await link(tx, mine, user_id, provider, claims)
    return user_id


async def link(tx: Transaction, mine: list[UUID], user_id: UUID, provider: str, claims: Claims) -> None:
    """Theirs from now on, and they are told by mail; a 409 problem where it is somebody's."""
    linked = UserIdentityLinked(user_id=user_id, provider=provider)
    await events.security(tx, mine, user_id, linked)
    if await identities.count(tx, user_id) >= MOST:
        raise ConflictError(f"You have {MOST} accounts linked: remove one first.")
    identity_id = tx.app.new_id()
    hashed = subject_hash(tx.app, claims)
    if not await identities.insert(tx, identity_id, user_id, provider, claims.iss, hashed):
        raise ConflictError("This account is linked already, to you or to somebody else.")
    user = await users.first_active(tx, mine, user_id)
    if user is not None:
        sending.to_person(tx, "identity_linked", user.organization_id, user_id)


async def unlink(tx: Transaction, mine: list[UUID], user_id: UUID, identity_id: UUID) -> None:
    """Nobody signs in with it any more; a 404 problem where they have none such."""
    provider = await identities.delete(tx, user_id, identity_id)
    if provider is None:
        raise NotFoundError("You have no such account linked.")
    await pending_sign_ins.delete_of(tx, user_id)
    await events.security(tx, mine, user_id, UserIdentityUnlinked(user_id=user_id, provider=provider))


async def _by_address(work: RequestWork, claims: Claims) -> UUID | None:
    # `true` alone: some issuers say "false" in words, and words are true.
    if claims.email_verified is not True or not claims.email:
        return None
    try:
        email_hash = own(work.app).emails.of(names.address(claims.email))
    except ValueError:
        return None
    found = await credentials.find(work.app.db, email_hash)
    if found is None:
        return None
    credential = await credentials.read(work.app.db, found["user_id"])
    verified = credential is not None and credential["email_verified_at"] is not None
    user_id: UUID = found["user_id"]
    return user_id if verified else None

"""Sessions: begun by a sign-in, carried on by refresh tokens that are each good once, ended for a reason."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flotilla.app import App
from flotilla.store.postgres import Transaction

from flotilla_auth import events
from flotilla_auth.domain.entities import Session, User
from flotilla_auth.domain.opaque import (
    REFRESH_LIFETIME,
    digest,
    new_refresh_token,
    new_salt,
    refresh_token_after,
)
from flotilla_auth.resources import own
from flotilla_auth.store import sessions as store
from flotilla_auth.store import users
from flotilla_auth.store.sessions import Device, Family


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client holds."""

    access_token: str
    refresh_token: str
    refresh_expires_at: datetime


async def begin(tx: Transaction, user: User, *, method: str, device: Device, factors: int = 1) -> Tokens:
    """A new session of somebody who has proven who they are; the caller holds their row."""
    session = await store.insert(
        tx,
        user.organization_id,
        tx.app.new_id(),
        user.id,
        method=method,
        device=device,
        lifetime=min(REFRESH_LIFETIME, longest(tx.app)),
        factors=factors,
    )
    events.logged_in(tx, session)
    return await _issue(tx, session, user, new_refresh_token())


async def renew(tx: Transaction, family: Family, token: str) -> Tokens | None:
    """Spend a refresh token for new ones; None where it buys nothing.

    A token that was spent before is held by two: one of them has stolen it, and it does not show which. So
    the session ends with all its tokens. But two tabs refresh at once, and answers get lost: for a short grace
    the token that was spent last gives the same next token again, while that has not been used itself.
    Whoever stole it then holds what the session's owner holds, and the next use of either shows it.
    """
    token_hash = digest(token)
    # The person first, then the session: whoever ends all of a person's sessions locks in this order.
    user = await users.hold(tx, family.organization_id, family.user_id)
    session = await store.lock(tx, family.organization_id, family.session_id)
    if user is None or session is None or session.ended_at is not None:
        return None
    fresh = await store.use_token(tx, family.organization_id, token_hash)
    if fresh is None:
        return await _repeat(tx, session, user, token)
    # Also where the setting was lowered meanwhile, and the token was made under the one before.
    if not fresh or session.created_at + longest(tx.app) <= datetime.now(UTC):
        return None
    salt = new_salt()
    touched = await store.touch(tx, session, REFRESH_LIFETIME, longest(tx.app), token_hash, salt)
    return await _issue(tx, touched, user, refresh_token_after(token, salt))


async def _repeat(tx: Transaction, session: Session, user: User, token: str) -> Tokens | None:
    """What this token, spent before, was exchanged for; None, and the session's end, where it may be stolen."""
    grace = timedelta(seconds=own(tx.app).settings.refresh_grace_seconds)
    salt = await store.salt_after(tx, session, digest(token), grace)
    if salt is None:
        await end(tx, session.organization_id, session.id, "refresh_reused")
        return None
    following = refresh_token_after(token, salt)
    return Tokens(access_token(tx.app, session, user), following, session.expires_at)


def longest(app: App) -> timedelta:
    """How long a session may go on, however it is used."""
    return timedelta(days=own(app).settings.session_days)


async def end(tx: Transaction, organization_id: UUID, session_id: UUID, reason: str) -> bool:
    """End one; False where it had ended."""
    ended = await store.end(tx, organization_id, session_id, reason)
    if ended is not None:
        events.session_ended(tx, ended, reason)
    return ended is not None


async def end_all(tx: Transaction, user: User, reason: str) -> None:
    """End all of a person's sessions in this organization."""
    for session in await store.end_all(tx, user.organization_id, user.id, reason):
        events.session_ended(tx, session, reason)


async def end_everywhere(
    tx: Transaction, organizations: list[UUID], user_id: UUID, reason: str, *, but: UUID | None = None
) -> None:
    """End a person's sessions in all of these organizations, but one; the caller holds the person in them."""
    for session in await store.end_everywhere(tx, organizations, user_id, reason, but):
        events.session_ended(tx, session, reason)


async def end_with_one_factor(tx: Transaction, organization_id: UUID) -> None:
    """The organization demands a second factor from now on: who came without comes again."""
    for session in await store.end_with_one_factor(tx, organization_id, "second_factor_required"):
        events.session_ended(tx, session, "second_factor_required")


async def _issue(tx: Transaction, session: Session, user: User, token: str) -> Tokens:
    await store.insert_token(tx, session, digest(token), session.expires_at)
    return Tokens(access_token(tx.app, session, user), token, session.expires_at)


def access_token(app: App, session: Session, user: User) -> str:
    """For the next quarter of an hour."""
    return own(app).tokens.sign(
        user_id=session.user_id,
        organization_id=session.organization_id,
        session_id=session.id,
        role=user.role,
        role_id=user.role_id,
        authenticated_at=session.authenticated_at,
        factors=session.factors,
        now=datetime.now(UTC),
    )

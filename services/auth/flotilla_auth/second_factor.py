"""Second factors: proven at sign-in and before what is sensitive, added, removed. Guessing is slow, as of passwords."""

import time
from uuid import UUID

from flotilla.app import App
from flotilla.cause import Cause
from flotilla.events.security import (
    UserRecoveryCodeUsed,
    UserSecondFactorAdded,
    UserSecondFactorFailed,
    UserSecondFactorRemoved,
)
from flotilla.http import ConflictError
from flotilla.problems import UnauthorizedError
from flotilla.security.keyed_hashes import Hashes, KeyedHashes
from flotilla.store.postgres import Transaction

from flotilla_auth import events
from flotilla_auth.domain import second_factor as domain
from flotilla_auth.domain.second_factor import Answer
from flotilla_auth.mail import sending
from flotilla_auth.proof import reserve
from flotilla_auth.resources import own
from flotilla_auth.store import credentials, factors, pending_sign_ins
from flotilla_auth.store import organizations as organization_store
from flotilla_auth.store import sessions as session_store
from flotilla_auth.store.sessions import Device

TOTP = "totp"


async def prove(app: App, user_id: UUID, answer: Answer, device: Device, cause: Cause) -> str:
    """By which method they proved it; 401 where it is wrong or was used before, 429 while it is guessed at.

    The attempt is counted before the answer is looked at, and what is right is taken at once, for good.
    """
    bucket = own(app).emails.of(f"second factor of {user_id}")[0]
    attempts = await reserve(app, bucket)
    organizations = await credentials.memberships(app.db, user_id)
    async with app.db.transaction(organizations, cause=cause) as tx:
        method = await _take(tx, organizations, user_id, answer)
        if method is None:
            failed = UserSecondFactorFailed(user_id=user_id, address=device.address, attempts=attempts)
            await events.security(tx, organizations, user_id, failed)
    if method is None:
        raise UnauthorizedError("This code is wrong, or was used before: wait for the next one.")
    await credentials.forget_attempts(app.db, bucket)
    return method


async def _take(tx: Transaction, organizations: list[UUID], user_id: UUID, answer: Answer) -> str | None:
    if answer.code is not None:
        found = await factors.read_totp(tx, user_id)
        if found is None or found["confirmed_at"] is None:
            return None
        secret = open_secret(tx.app, user_id, found["sealed_secret"])
        step = domain.matching_step(secret, answer.code, time.time(), found["last_step"])
        # Of two who bring one code at once, one waits for the other here, and finds it used.
        return TOTP if step is not None and await factors.use_step(tx, user_id, step) else None
    hashed = recovery_hash(tx.app, user_id, answer.recovery_code or "")
    if not await factors.use_code(tx, user_id, hashed):
        return None
    _, left = await factors.methods(tx, user_id)
    await events.security(tx, organizations, user_id, UserRecoveryCodeUsed(user_id=user_id, left=left))
    return "recovery_code"


async def offer(tx: Transaction, user_id: UUID) -> str:
    """The secret of an authenticator that is yet to be confirmed; a 409 problem where they have one."""
    secret = domain.new_secret()
    if not await factors.offer_totp(tx, user_id, seal_secret(tx.app, user_id, secret)):
        raise ConflictError("You have an authenticator: remove it before you add another.")
    return secret


async def confirm(
    tx: Transaction, organizations: list[UUID], org: UUID, user_id: UUID, code: str
) -> list[str] | None:
    """The authenticator is theirs, and these are their recovery codes; none where they have some, None where the code
    is wrong."""
    added = UserSecondFactorAdded(user_id=user_id, method=TOTP)
    # Holds the person: a sign-in that is half-way sees the factor, or its session is ended by whoever calls.
    await events.security(tx, organizations, user_id, added)
    found = await factors.read_totp(tx, user_id)
    if found is None or found["confirmed_at"] is not None:
        raise ConflictError("No authenticator waits to be confirmed.")
    secret = open_secret(tx.app, user_id, found["sealed_secret"])
    step = domain.matching_step(secret, code, time.time(), found["last_step"])
    if step is None or not await factors.confirm_totp(tx, user_id, step, found["sealed_secret"]):
        return None
    sending.to_person(tx, "second_factor_added", org, user_id)
    return await first_recovery_codes(tx, user_id)


async def remove(tx: Transaction, organizations: list[UUID], org: UUID, user_id: UUID) -> None:
    """Nothing of the authenticator is left; a 409 problem where they have none."""
    removed = UserSecondFactorRemoved(user_id=user_id, method=TOTP)
    await events.security(tx, organizations, user_id, removed)
    if not await factors.remove_totp(tx, user_id):
        raise ConflictError("You have no authenticator.")
    await after_removal(tx, organizations, org, user_id)


async def after_removal(tx: Transaction, organizations: list[UUID], org: UUID, user_id: UUID) -> None:
    """What follows when one went; a 409 problem where it was the last, and an organization of theirs demands one.

    Recovery codes go with the last: they stand in for nothing then.
    """
    have, _ = await factors.methods(tx, user_id)
    if not have:
        if await organization_store.any_requires_second_factor(tx, organizations):
            raise ConflictError("An organization that you are in demands a second factor.")
        await factors.replace_codes(tx, user_id, [])
        # Else an organization that demands one later would take their session for that of somebody who has one.
        await session_store.forget_factors(tx, organizations, user_id)
    await pending_sign_ins.delete_of(tx, user_id)
    sending.to_person(tx, "second_factor_removed", org, user_id)


async def first_recovery_codes(tx: Transaction, user_id: UUID) -> list[str]:
    """Ten for somebody who has none; none for others: theirs stay good."""
    _, codes = await factors.methods(tx, user_id)
    return [] if codes else await renew_recovery_codes(tx, user_id)


async def renew_recovery_codes(tx: Transaction, user_id: UUID) -> list[str]:
    """Ten others; those from before are good no longer."""
    codes = domain.new_recovery_codes()
    await factors.replace_codes(tx, user_id, [recovery_hash(tx.app, user_id, code)[0] for code in codes])
    return codes


def seal_secret(app: App, user_id: UUID, secret: str) -> bytes:
    """As it is stored, bound to whose it is."""
    return app.keyring.seal(secret.encode(), b"totp:" + user_id.bytes)


def open_secret(app: App, user_id: UUID, sealed: bytes) -> str:
    """The secret again."""
    return app.keyring.open(sealed, b"totp:" + user_id.bytes).decode()


def recovery_hash(app: App, user_id: UUID, code: str) -> Hashes:
    """Keyed: 50 bits alone could be tried out by whoever steals the table."""
    hashes = KeyedHashes(app.keyring, "auth: hashes of recovery codes")
    return hashes.of(user_id.bytes + domain.folded(code).encode())

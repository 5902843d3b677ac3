"""Who somebody is, by their e-mail address and password; guessing is slow, and tells nothing."""

import asyncio
import time
from typing import Final
from uuid import UUID

import structlog
from flotilla.app import App
from flotilla.cause import Cause
from flotilla.events.auth import UserSignInFailed
from flotilla.problems import TooManyRequestsError, UnauthorizedError

from flotilla_auth.domain.lockout import LOCK_SECONDS
from flotilla_auth.resources import own
from flotilla_auth.store import credentials, users
from flotilla_auth.store.sessions import Device

REFUSAL_SECONDS: Final = 0.15
"""A refusal takes at least this long: what is written for people who exist does not show in the time."""

log = structlog.get_logger()


async def prove(app: App, email: str, password: str, device: Device, cause: Cause) -> UUID:
    """The person with this address and password.

    A 401 problem where there is none, whichever of the two is wrong; a 429 problem while the address is
    locked, whether anybody has it or not. Attempts are counted before the password is looked at, so a
    hundred guesses at once are a hundred guesses.
    """
    began = time.monotonic()
    hashes = own(app).emails.of(email)
    attempts = await reserve(app, hashes[0])
    found = await credentials.find(app.db, hashes)
    right = await own(app).passwords.matches(found["password_hash"] if found else None, password)
    if found is None or not right:
        if found is not None:
            await _tell(app, found["user_id"], attempts, device, cause)
        await asyncio.sleep(began + REFUSAL_SECONDS - time.monotonic())
        raise UnauthorizedError("The e-mail address or the password is wrong.")
    await credentials.forget_attempts(app.db, hashes[0])
    await _renew_hash(app, found["user_id"], found["password_hash"], password)
    user_id: UUID = found["user_id"]
    return user_id


async def prove_again(app: App, email: str, password: str) -> bool:
    """Whether somebody who is signed in knows their password; a 429 problem while it is guessed at."""
    hashes = own(app).emails.of(email)
    await reserve(app, hashes[0])
    found = await credentials.find(app.db, hashes)
    if not await own(app).passwords.matches(found["password_hash"] if found else None, password):
        return False
    await credentials.forget_attempts(app.db, hashes[0])
    return True


async def reserve(app: App, email_hash: bytes) -> int:
    """Count an attempt, under the hash of an address or of what else is guessed at; a 429 problem while locked."""
    attempts = await credentials.reserve_attempt(app.db, email_hash, LOCK_SECONDS)
    if attempts is None:
        seconds = await credentials.locked_seconds(app.db, email_hash)
        raise TooManyRequestsError("Too many wrong attempts.", headers={"Retry-After": str(seconds)})
    return attempts


async def _tell(app: App, user_id: UUID, attempts: int, device: Device, cause: Cause) -> None:
    """The organizations of somebody whose password was guessed at hear of it."""
    organizations = await credentials.memberships(app.db, user_id)
    async with app.db.transaction(organizations, cause=cause) as tx:
        for row in await users.count_failure(tx, organizations, user_id):
            event = UserSignInFailed(user_id=user_id, address=device.address, attempts=attempts)
            tx.emit(event, org=row["organization_id"], sequence=row["failed_sign_ins"])


async def _renew_hash(app: App, user_id: UUID, stored: str, password: str) -> None:
    passwords = own(app).passwords
    if passwords.is_outdated(stored):
        await credentials.rehash(app.db, user_id, stored, await passwords.hash(password))
        log.info("password.rehashed", user=str(user_id))

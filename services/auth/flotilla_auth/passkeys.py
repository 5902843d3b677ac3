"""Passkeys: challenges given and answered, keys added, used, refused and removed."""

from typing import Final
from uuid import UUID

import structlog
from flotilla.app import App
from flotilla.cause import Cause
from flotilla.events.security import (
    UserPasskeyRefused,
    UserPasskeyRenamed,
    UserSecondFactorAdded,
    UserSecondFactorRemoved,
)
from flotilla.http import ConflictError, NotFoundError, UnprocessableError
from flotilla.problems import UnauthorizedError
from flotilla.store.postgres import Transaction

from flotilla_auth import events, second_factor
from flotilla_auth.domain import passkeys as domain
from flotilla_auth.domain.entities import User
from flotilla_auth.domain.opaque import digest_of
from flotilla_auth.domain.passkeys import Json, NotRightError, Passkey, Registered
from flotilla_auth.mail import sending
from flotilla_auth.resources import own
from flotilla_auth.store import credentials
from flotilla_auth.store import passkeys as store
from flotilla_auth.store.passkeys import Challenge
from flotilla_auth.store.sessions import Device

PASSKEY: Final = "passkey"
REGISTER: Final = "register"
ENROL: Final = "enrol"
SIGN_IN: Final = "sign_in"
SECOND_FACTOR: Final = "second_factor"
STEP_UP: Final = "step_up"
ALONE: Final = frozenset({SIGN_IN, STEP_UP})
"""Purposes for which no other factor is asked: the authenticator makes sure that it is its owner."""
REFUSED: Final = "This passkey is not accepted here. Try again, or sign in another way."

log = structlog.get_logger()


async def offer(app: App, purpose: str, user: User, bound_to: bytes = b"") -> Json:
    """What their browser is told to make a passkey; good for one, within five minutes."""
    known = await store.list_of(app.db, user.id)
    challenge, options = domain.creation_options(own(app).party, user.id, user.email, known)
    await _give(app, challenge, Challenge(purpose, user.id, bound_to))
    return options


async def ask(app: App, purpose: str, user_id: UUID | None = None, bound_to: bytes = b"") -> Json:
    """What a browser is told to sign; of somebody who is known, with one of theirs: a 409 problem where none is."""
    known = await store.list_of(app.db, user_id) if user_id else []
    if user_id and not known:
        raise ConflictError("You have no passkey.")
    challenge, options = domain.request_options(own(app).party, known, alone=purpose in ALONE)
    await _give(app, challenge, Challenge(purpose, user_id, bound_to))
    return options


async def made(app: App, purpose: str, user_id: UUID, credential: Json, bound_to: bytes = b"") -> Registered:
    """The key of an answer to `offer`; a 422 problem where it is none. The challenge is gone either way."""
    challenge = domain.challenge_of(credential)
    if await store.spend(app.db, digest_of(challenge)) != Challenge(purpose, user_id, bound_to):
        raise _not_made("This took too long, or was not begun here: begin again.")
    try:
        return domain.registered(own(app).party, credential, challenge)
    except NotRightError as error:
        log.info("passkey.not_registered", why=str(error))
        raise _not_made("This authenticator did not answer what it was asked.") from None


async def add(
    tx: Transaction, organizations: list[UUID], org: UUID, user_id: UUID, name: str, key: Registered
) -> tuple[Passkey, list[str]]:
    """Theirs from now on, and their first recovery codes where they had none; a 409 problem where it is somebody's."""
    passkey_id = tx.app.new_id()
    added = UserSecondFactorAdded(user_id=user_id, method=PASSKEY, passkey_id=passkey_id)
    # Holds the person: a sign-in that is half-way sees the factor, or its session is ended by whoever calls.
    await events.security(tx, organizations, user_id, added)
    if len(await store.list_of(tx, user_id)) >= domain.MOST:
        raise ConflictError(f"You have {domain.MOST} passkeys: remove one first.")
    passkey = await store.insert(tx, passkey_id, user_id, key, seal_name(tx.app, passkey_id, name))
    if passkey is None:
        raise ConflictError("This passkey is registered already.")
    sending.to_person(tx, "passkey_added", org, user_id)
    return passkey, await second_factor.first_recovery_codes(tx, user_id)


async def prove(
    app: App,
    purpose: str,
    credential: Json,
    device: Device,
    cause: Cause,
    *,
    user_id: UUID | None = None,
    bound_to: bytes = b"",
) -> UUID:
    """Whose passkey answered the challenge of `ask`; a 401 problem where it is not the answer of its owner.

    The challenge is gone either way. What was refused of somebody who is known is told in an event.
    """
    challenge = domain.challenge_of(credential)
    if await store.spend(app.db, digest_of(challenge)) != Challenge(purpose, user_id, bound_to):
        raise UnauthorizedError(REFUSED)
    passkey = await store.find(app.db, domain.id_of(credential))
    if passkey is None:
        raise UnauthorizedError(REFUSED)
    wrong = await _wrong(app, purpose, credential, challenge, passkey, user_id)
    if wrong is None:
        return passkey.user_id
    await _refuse(app, passkey, user_id or passkey.user_id, wrong, device, cause)
    raise UnauthorizedError(REFUSED)


async def _wrong(
    app: App, purpose: str, credential: Json, challenge: bytes, passkey: Passkey, user_id: UUID | None
) -> str | None:
    """Why it is refused; None where it is right, and counted."""
    if user_id is not None and passkey.user_id != user_id:
        return "anothers"
    if passkey.cloned_at is not None:
        return "suspended"
    try:
        signed = domain.signed(own(app).party, credential, challenge, passkey, alone=purpose in ALONE)
    except NotRightError as error:
        log.info("passkey.invalid", passkey=str(passkey.id), why=str(error))
        return "invalid"
    # Compared where it is kept: of two at once with one count, one is refused.
    return None if await store.use(app.db, passkey.id, signed.sign_count, signed.backed_up) else "cloned"


async def _refuse(
    app: App, passkey: Passkey, user_id: UUID, wrong: str, device: Device, cause: Cause
) -> None:
    organizations = await credentials.memberships(app.db, user_id)
    async with app.db.transaction(organizations, cause=cause) as tx:
        refused = UserPasskeyRefused(
            user_id=user_id,
            passkey_id=None if wrong == "anothers" else passkey.id,
            address=device.address,
            reason=wrong,
        )
        await events.security(tx, organizations, user_id, refused)
        if wrong == "cloned" and await store.suspend(tx, passkey.id) and organizations:
            sending.to_person(tx, "passkey_cloned", organizations[0], user_id)
    log.warning("passkey.refused", passkey=str(passkey.id), why=wrong)


async def rename(
    tx: Transaction, organizations: list[UUID], user_id: UUID, before: Passkey, name: str
) -> Passkey:
    """Called so from now on; a 409 problem where it was changed meanwhile."""
    old = name_of(tx.app, before)
    if old == name:
        return before
    renamed = UserPasskeyRenamed(
        user_id=user_id, passkey_id=before.id, name=name, changed={"name": [old, name]}
    )
    await events.security(tx, organizations, user_id, renamed)
    now = await store.rename(tx, before, seal_name(tx.app, before.id, name))
    if now is None:
        raise ConflictError("This passkey was changed meanwhile: look at it again.")
    return now


async def remove(
    tx: Transaction, organizations: list[UUID], org: UUID, user_id: UUID, passkey_id: UUID
) -> None:
    """It is good for nothing any more; a 404 problem where they have none such."""
    removed = UserSecondFactorRemoved(user_id=user_id, method=PASSKEY, passkey_id=passkey_id)
    await events.security(tx, organizations, user_id, removed)
    if not await store.delete(tx, user_id, passkey_id):
        raise NotFoundError("You have no such passkey.")
    await second_factor.after_removal(tx, organizations, org, user_id)


def seal_name(app: App, passkey_id: UUID, name: str) -> bytes:
    """As it is stored: people put their own names into those of their things."""
    return app.keyring.seal(name.encode(), b"passkey:" + passkey_id.bytes)


def name_of(app: App, passkey: Passkey) -> str:
    """What its owner calls it."""
    return app.keyring.open(passkey.sealed_name, b"passkey:" + passkey.id.bytes).decode()


async def _give(app: App, challenge: bytes, what: Challenge) -> None:
    async with app.db.transaction(()) as tx:
        await store.give(tx, digest_of(challenge), what, domain.CHALLENGE_LIFETIME)


def _not_made(detail: str) -> UnprocessableError:
    return UnprocessableError(detail, errors=[{"pointer": "/credential", "detail": detail}])

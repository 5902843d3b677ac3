"""From a proven first factor to a session: at once, after a second factor, or after one was added that is demanded."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from flotilla.http import ForbiddenError
from flotilla.http.work import RequestWork
from flotilla.problems import ConflictError, UnauthorizedError
from flotilla.store.postgres import Transaction

from flotilla_auth import passkeys, second_factor, sessions
from flotilla_auth.api.requests import in_the_name_of
from flotilla_auth.api.views import SecondStep, SignedIn
from flotilla_auth.domain.entities import User
from flotilla_auth.domain.opaque import digest, new_pending_token
from flotilla_auth.domain.passkeys import Json
from flotilla_auth.domain.second_factor import Answer
from flotilla_auth.store import credentials, factors, organizations, pending_sign_ins, users
from flotilla_auth.store.pending_sign_ins import PendingSignIn
from flotilla_auth.store.sessions import Device

PENDING_LIFETIME: Final = timedelta(minutes=10)
KINDS: Final = [second_factor.TOTP, passkeys.PASSKEY]
"""Second factors that somebody may add."""
HAVE_ONE: Final = "You have a second factor: prove it."
ENDED: Final = "This sign-in took too long, or has ended: sign in again."


async def enter(
    work: RequestWork,
    user_id: UUID,
    wanted: UUID | None,
    *,
    method: str,
    device: Device,
    proven: int = 1,
) -> SignedIn | SecondStep:
    """What follows the first factor, in the organization that is wanted, or the first that they have access to.

    `proven`: how many factors that was; a passkey that made sure of its owner is two.
    """
    app, cause = work.app, in_the_name_of(user_id, work)
    for organization_id in _choices(await credentials.memberships(app.db, user_id), wanted):
        async with app.db.transaction(organization_id, cause=cause) as tx:
            if (user := await users.hold(tx, organization_id, user_id)) is not None and user.active:
                return await go_on(tx, user, method=method, device=device, proven=proven)
    raise ForbiddenError("You have no access to this organization: ask its administrators.")


async def go_on(
    tx: Transaction, user: User, *, method: str, device: Device, proven: int = 1
) -> SignedIn | SecondStep:
    """The same for somebody whose row the caller holds: whoever adds a factor, or demands one, waits, or is seen."""
    organization = await organizations.hold(tx, user.organization_id)
    have, codes = await factors.methods(tx, user.id)
    if proven > 1 or (not have and not organization.second_factor_required):
        tokens = await sessions.begin(tx, user, method=method, device=device, factors=proven)
        return SignedIn.of(tokens, user, organization)
    token = new_pending_token()
    pending = PendingSignIn(user.id, user.organization_id, method, enrols=not have)
    await pending_sign_ins.insert(tx, digest(token), pending, PENDING_LIFETIME)
    return SecondStep(
        state="second_factor" if have else "enrolment",
        pending_token=token,
        methods=[*have, *(["recovery_code"] if codes else [])] if have else KINDS,
        expires_in=int(PENDING_LIFETIME.total_seconds()),
    )


async def pending(work: RequestWork, token: str) -> PendingSignIn:
    """Who is half-way in; a 401 problem where the token is not good any more."""
    found = await pending_sign_ins.find(work.app.db, digest(token))
    if found is None:
        raise UnauthorizedError(ENDED)
    return found


async def finish(work: RequestWork, token: str, answer: Answer, device: Device) -> SignedIn:
    """A session, after the second factor was proven."""
    found = await pending(work, token)
    if found.enrols:
        raise ConflictError("Your organization demands a second factor, and you have none yet: add one.")
    cause = in_the_name_of(found.user_id, work)
    if answer.passkey is not None:
        proof, whom = (passkeys.SECOND_FACTOR, answer.passkey), (device, cause)
        await passkeys.prove(work.app, *proof, *whom, user_id=found.user_id, bound_to=digest(token))
        method = passkeys.PASSKEY
    else:
        method = await second_factor.prove(work.app, found.user_id, answer, device, cause)
    async with work.app.db.transaction(found.organization_id, cause=cause) as tx:
        return await _begin(tx, token, found, method, device)


async def enrol(work: RequestWork, token: str, code: str, device: Device) -> SignedIn:
    """A session, after an authenticator was added with a code of it; `recovery_codes` are in the answer."""
    found = await enrolling(work, token)

    async def confirm(tx: Transaction, organizations: list[UUID]) -> list[str]:
        codes = await second_factor.confirm(tx, organizations, found.organization_id, found.user_id, code)
        if codes is None:
            raise UnauthorizedError("This code is wrong: is the clock of your device right?")
        return codes

    return await _enrolled(work, token, found, second_factor.TOTP, device, confirm)


async def enrol_passkey(
    work: RequestWork, token: str, credential: Json, name: str, device: Device
) -> SignedIn:
    """The same, after a passkey was added."""
    found = await enrolling(work, token)
    key = await passkeys.made(work.app, passkeys.ENROL, found.user_id, credential, digest(token))

    async def add(tx: Transaction, organizations: list[UUID]) -> list[str]:
        org = found.organization_id
        return (await passkeys.add(tx, organizations, org, found.user_id, name, key))[1]

    return await _enrolled(work, token, found, passkeys.PASSKEY, device, add)


async def enrolling(work: RequestWork, token: str) -> PendingSignIn:
    """Who is half-way in and has to add a second factor; a 409 problem where they have one."""
    found = await pending(work, token)
    if not found.enrols:
        raise ConflictError(HAVE_ONE)
    return found


async def _enrolled(
    work: RequestWork,
    token: str,
    found: PendingSignIn,
    method: str,
    device: Device,
    add: Callable[[Transaction, list[UUID]], Awaitable[list[str]]],
) -> SignedIn:
    """`add` adds the factor, and gives the recovery codes."""
    organizations = await credentials.memberships(work.app.db, found.user_id)
    cause = in_the_name_of(found.user_id, work)
    async with work.app.db.transaction(organizations, cause=cause) as tx:
        await users.lock_everywhere(tx, organizations, found.user_id)
        if (await factors.methods(tx, found.user_id))[0]:
            # Added since this began: who knows the password alone shall not add another beside it.
            raise ConflictError(HAVE_ONE)
        codes = await add(tx, organizations)
        await sessions.end_everywhere(tx, organizations, found.user_id, "second_factor_changed")
        signed_in = await _begin(tx, token, found, method, device)
    return signed_in.model_copy(update={"recovery_codes": codes})


async def _begin(tx: Transaction, token: str, found: PendingSignIn, method: str, device: Device) -> SignedIn:
    user = await users.hold(tx, found.organization_id, found.user_id)
    if user is None or not user.active or not await pending_sign_ins.spend(tx, digest(token)):
        raise UnauthorizedError(ENDED)
    organization = await organizations.read(tx, found.organization_id)
    tokens = await sessions.begin(tx, user, method=f"{found.method}+{method}", device=device, factors=2)
    return SignedIn.of(tokens, user, organization)


def _choices(memberships: Sequence[UUID], wanted: UUID | None) -> Sequence[UUID]:
    return memberships if wanted is None else [one for one in memberships if one == wanted]

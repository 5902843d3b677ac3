"""Grants between organizations: told to both, ended at once, and whoever came by one goes with it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind, reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events import sharing
from flotilla.events.auth import User as UserState
from flotilla.events.auth import UserDeactivated, UserUpdated
from flotilla.store.postgres import Transaction

from flotilla_auth.api.users import follow_up
from flotilla_auth.domain.entities import ACTIVE, DEACTIVATED
from flotilla_auth.onboarding import LANE
from flotilla_auth.store import grants as store
from flotilla_auth.store import users
from flotilla_auth.store.grants import Grant

DATA: Final = "data"
ADMINISTRATION: Final = "administration"
MANAGERS: Final = frozenset({"owner", "admin"})
"""Roles of a parent's people who may enter its children."""
ADMIN: Final = "admin"
"""As what they do."""
LEAVE: Final = "leave_child"


def tell(
    tx: Transaction, type_: type[sharing.OrganizationGrant], now: Grant, cause: Cause | None = None
) -> None:
    """Say it to both organizations; the transaction is of both."""
    more: dict[str, Any] = (
        {"revoked_at": now.revoked_at, "revoked_by": now.revoked_by} if now.state == "revoked" else {}
    )
    event = type_(
        grant_id=now.id,
        grantor_id=now.organization_id,
        grantee_id=now.grantee_id,
        kind=now.kind,
        permissions=now.permissions,
        expires_at=now.expires_at,
        state=now.state,
        **more,
    )
    for org in (now.organization_id, now.grantee_id):
        tx.emit(event, org=org, sequence=now.sequence, cause=cause)


async def revoke(tx: Transaction, grant: Grant, by: UUID) -> None:
    """End it, and with it the access of everybody who came by it; nothing where it has ended."""
    if grant.state == "revoked":
        return
    now = await store.revoke(tx, grant, by)
    tell(tx, sharing.OrganizationGrantRevoked, now)
    for user_id in await store.derived_of(tx, now):
        await _leave(tx, now.organization_id, user_id)


async def derive(tx: Transaction, grant: Grant, user_id: UUID) -> None:
    """Their membership of the child comes of the grant, and ends when it does, nobody's doing needed."""
    child = grant.organization_id
    await store.derive(tx, child, user_id, grant)
    if grant.expires_at is not None:
        leaving = Leaving(user_id, grant.id)
        tx.set_timer(LEAVE, f"{child}:{user_id}:{grant.id}", grant.expires_at, leaving, org=child)


class Leaving(msgspec.Struct, frozen=True):
    """Whose membership of the job's organization came of managing its parent."""

    user_id: UUID
    grant_id: UUID | None = None
    """Of a grant that is over: their membership may have come of another since."""


@reaction(UserUpdated, UserDeactivated, lane=LANE)
async def end_derived(tx: Transaction, batch: Sequence[Received[UserState]]) -> None:
    """Who manages the parent no longer has nothing to do in its children: each child sees to it on its own."""
    lost = {(event.org, event.data.user_id): event for event in batch if not _manages(event.data)}
    for parent, child, user_id in await store.derived_of_people(tx, sorted(lost)) if lost else ():
        event = lost[parent, user_id]
        key, now = f"{child}:{user_id}", event.envelope.time
        tx.set_timer(LEAVE, key, now, Leaving(user_id), org=child, cause=event)


def _manages(user: UserState) -> bool:
    return user.state == ACTIVE and user.role in MANAGERS and user.role_id is None


async def _leave_child(tx: Transaction, job: Job) -> None:
    await _leave(tx, job.org, job.payload.user_id, job.payload.grant_id)


leave_child: Final = TimerKind(LEAVE, Leaving, _leave_child)


async def _leave(tx: Transaction, child: UUID, user_id: UUID, grant_id: UUID | None = None) -> None:
    user = await users.lock(tx, child, user_id)
    if user is not None and user.active and await store.is_derived(tx, child, user_id, grant_id):
        await follow_up(tx, user, await users.update(tx, replace(user, state=DEACTIVATED)))

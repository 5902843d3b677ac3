"""Events in: keys, ended sessions, states of organizations and people. All on the lane `security`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from flotilla.bus.declare import Lane, projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.auth import (
    Organization,
    OrganizationCreated,
    OrganizationUpdated,
    SessionEnded,
    SigningKeyRotated,
    User,
    UserDeactivated,
    UserUpdated,
)
from flotilla.store.postgres import Transaction
from redis.exceptions import RedisError

from flotilla_gateway import store
from flotilla_gateway.limits.limiter import revocation_key
from flotilla_gateway.trust.standing import (
    CHANNEL,
    KEYS,
    MEMBERSHIPS,
    ORGANIZATIONS,
    REMEMBERED,
    SESSIONS,
)

if TYPE_CHECKING:
    from flotilla.app import App

log = structlog.get_logger()

SECURITY: Final = Lane("security", wait=timedelta(milliseconds=20))
"""Hardly any traffic, and a revocation must not wait."""


@projection(SigningKeyRotated, lane=SECURITY.name, tables=("key_sets",))
async def keep_signing_keys(tx: Transaction, batch: Sequence[Received[SigningKeyRotated]]) -> None:
    """The keys that tokens are checked with."""
    await store.keep_keys(tx, [(event.data.key_set_id, event.sequence, event.data.keys) for event in batch])
    await tx.notify(CHANNEL, KEYS)


@projection(OrganizationCreated, OrganizationUpdated, lane=SECURITY.name, tables=("organization_states",))
async def keep_organization_states(tx: Transaction, batch: Sequence[Received[Organization]]) -> None:
    """Which organizations are suspended."""
    states = [(event.data.organization_id, event.sequence, event.data.state) for event in batch]
    await store.keep_organizations(tx, states)
    await tx.notify(CHANNEL, ORGANIZATIONS)


@projection(UserUpdated, UserDeactivated, lane=SECURITY.name, tables=("memberships",), stamps=("noted_at",))
async def keep_memberships(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Roles that changed and people who left, for as long as tokens may say otherwise."""
    members = [
        (event.org, event.data.user_id, event.sequence, event.data.role, event.data.state) for event in batch
    ]
    await store.keep_memberships(tx, members)
    await tx.notify(CHANNEL, MEMBERSHIPS)


async def mark_revoked(app: "App", batch: Sequence[Received[SessionEnded]]) -> None:
    """Tell the rate-limit script of every gateway process; idempotent, so before the transaction."""
    assert app.redis is not None
    try:
        async with app.redis.pipeline(transaction=False) as pipeline:
            for event in batch:
                pipeline.set(revocation_key(str(event.data.session_id)), b"1", ex=REMEMBERED)
            await pipeline.execute()
    except RedisError as error:  # The table and the memory of each process refuse them all the same.
        log.warning("revocation.unmarked", sessions=len(batch), error=str(error))


@reaction(SessionEnded, lane=SECURITY.name, prepare=mark_revoked)
async def keep_ended_sessions(tx: Transaction, batch: Sequence[Received[SessionEnded]], marked: None) -> None:
    """Sessions whose tokens are refused, also while Redis is down."""
    await store.keep_ended(tx, [(event.data.session_id, event.data.ended_at) for event in batch])
    await tx.notify(CHANNEL, SESSIONS)

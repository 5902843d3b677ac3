"""Events in: keys, ended sessions, states of organizations and people, plans. All on the lane `security`."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog
from flotilla.bus.declare import Lane, projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.auth import (
    ApiKey,
    ApiKeyCreated,
    ApiKeyRevoked,
    Organization,
    OrganizationCreated,
    OrganizationSuspended,
    OrganizationUpdated,
    RoleUpdated,
    SessionEnded,
    SigningKeyRotated,
    TeamMember,
    TeamMemberAdded,
    TeamMemberRemoved,
    User,
    UserDeactivated,
    UserUpdated,
)
from flotilla.events.billing import Entitlement, EntitlementChanged, UsageLimitReached
from flotilla.events.security import OAuthClientRevoked
from flotilla.events.sharing import OrganizationGrantRevoked
from flotilla.security import revocations
from flotilla.store.postgres import Transaction
from redis.exceptions import RedisError

from flotilla_gateway import store
from flotilla_gateway.trust.standing import (
    API_KEYS,
    CHANNEL,
    ENTITLEMENTS,
    KEYS,
    MEMBERSHIPS,
    ORGANIZATIONS,
    ORIGINS,
    ROLES,
    SESSIONS,
    TEAMS,
)

if TYPE_CHECKING:
    from flotilla.app import App

log = structlog.get_logger()

SECURITY: Final = Lane("security", wait=timedelta(milliseconds=20))
"""Hardly any traffic, and a revocation must not wait."""
MARK_SECONDS: Final = 0.25
"""How long Redis may take to keep a mark: one that hangs must not keep the tables from having the revocation."""


@projection(SigningKeyRotated, lane=SECURITY.name, tables=("key_sets",))
async def keep_signing_keys(tx: Transaction, batch: Sequence[Received[SigningKeyRotated]]) -> None:
    """The keys that tokens are checked with."""
    await store.keep_keys(tx, [(event.data.key_set_id, event.sequence, event.data.keys) for event in batch])
    await tx.notify(CHANNEL, KEYS)


@projection(
    OrganizationCreated,
    OrganizationUpdated,
    OrganizationSuspended,
    lane=SECURITY.name,
    tables=("organization_states",),
)
async def keep_organization_states(tx: Transaction, batch: Sequence[Received[Organization]]) -> None:
    """Which organizations are suspended, and which origins they list."""
    states = [
        (event.data.organization_id, event.sequence, event.data.state, event.data.allowed_origins)
        for event in batch
    ]
    await store.keep_organizations(tx, states)
    await tx.notify(CHANNEL, ORGANIZATIONS)
    await tx.notify(CHANNEL, _topic(ORIGINS, {event.data.organization_id for event in batch}))


@projection(UserUpdated, UserDeactivated, lane=SECURITY.name, tables=("memberships",), stamps=("noted_at",))
async def keep_memberships(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Roles that changed and people who left, for as long as tokens may say otherwise."""
    members = [
        (
            event.org,
            event.data.user_id,
            event.sequence,
            event.data.role,
            event.data.state,
            event.data.role_id,
        )
        for event in batch
    ]
    await store.keep_memberships(tx, members)
    await tx.notify(CHANNEL, MEMBERSHIPS)


@projection(RoleUpdated, lane=SECURITY.name, tables=("roles",))
async def keep_roles(tx: Transaction, batch: Sequence[Received[RoleUpdated]]) -> None:
    """What organizations' own roles may; nothing, once they are deleted."""
    roles = [
        (
            event.org,
            event.data.role_id,
            event.sequence,
            event.data.permissions if event.data.state == "active" else {},
        )
        for event in batch
    ]
    await store.keep_roles(tx, roles)
    await tx.notify(CHANNEL, _topic(ROLES, {event.data.role_id for event in batch}))


@projection(
    TeamMemberAdded, TeamMemberRemoved, lane=SECURITY.name, tables=("team_members",), stamps=("left_at",)
)
async def keep_team_members(tx: Transaction, batch: Sequence[Received[TeamMember]]) -> None:
    """Who is in a team with whom."""
    now = datetime.now(UTC)
    members = [
        (
            event.org,
            event.data.membership_id,
            event.sequence,
            event.data.team_id,
            event.data.user_id,
            now if isinstance(event.data, TeamMemberRemoved) else None,
        )
        for event in batch
    ]
    await store.keep_team_members(tx, members)
    await tx.notify(CHANNEL, _topic(TEAMS, {event.org for event in batch}))


@projection(ApiKeyCreated, ApiKeyRevoked, lane=SECURITY.name, tables=("api_keys",))
async def keep_api_keys(tx: Transaction, batch: Sequence[Received[ApiKey]]) -> None:
    """The keys that programs may call with. A batch has at most 200, so their ids fit one notification."""
    await store.keep_api_keys(
        tx,
        [
            (
                event.data.api_key_id,
                event.org,
                event.sequence,
                bytes.fromhex(event.data.verifier) if event.data.verifier else None,
                " ".join(event.data.scopes),
                event.data.role,
                event.data.created_by,
                event.data.expires_at,
                isinstance(event.data, ApiKeyRevoked),
                event.data.requests_per_hour,
            )
            for event in batch
        ],
    )
    await tx.notify(CHANNEL, _topic(API_KEYS, {event.data.api_key_id for event in batch}))


@projection(EntitlementChanged, UsageLimitReached, lane=SECURITY.name, tables=("entitlements",))
async def keep_entitlements(tx: Transaction, batch: Sequence[Received[Entitlement]]) -> None:
    """What plans allow, and what of it is used up."""
    # Two events tell of one row, that its limit is reached and how it stands: the later one of a batch.
    ordered = sorted(batch, key=lambda event: event.sequence)
    newest = {(event.org, event.data.feature): event for event in ordered}
    rows = [
        (
            event.org,
            event.data.feature,
            event.sequence,
            event.data.enabled,
            event.data.limit,
            _is_used_up(event.data),
            event.data.period_ends_at if event.data.resets else None,
        )
        for event in newest.values()
    ]
    await store.keep_entitlements(tx, rows)
    await tx.notify(CHANNEL, _topic(ENTITLEMENTS, {event.org for event in batch}))


def _is_used_up(told: Entitlement) -> bool:
    return told.beyond == "block" and told.limit is not None and told.used >= told.limit


def _topic(name: str, ids: Iterable[UUID]) -> str:
    return f"{name}:{','.join(map(str, sorted(ids)))}"


async def mark_revoked(app: "App", batch: Sequence[Received[SessionEnded]]) -> None:
    """Tell the rate-limit script of every gateway process, as auth does; idempotent, so before the transaction."""
    await _mark(app, [event.data.session_id for event in batch], revocations.TOKENS_REMEMBERED)


async def mark_revoked_keys(app: "App", batch: Sequence[Received[ApiKeyRevoked]]) -> None:
    """The same of API keys; the mark may expire, by then every process has forgotten them."""
    await _mark(app, [event.data.api_key_id for event in batch], revocations.KEYS_REMEMBERED)


async def _mark(app: "App", revoked: Sequence[UUID], remembered: timedelta) -> None:
    assert app.redis is not None
    try:
        async with asyncio.timeout(MARK_SECONDS):
            await revocations.mark(app.redis, revoked, remembered)
    except (RedisError, TimeoutError) as error:
        # The table, and the memory of each process, refuse them all the same.
        log.warning("revocation.unmarked", revoked=len(revoked), error=repr(error))


async def mark_revoked_clients(app: "App", batch: Sequence[Received[OAuthClientRevoked]]) -> None:
    """The same of OAuth clients, whose tokens name them as a person's name their session."""
    await _mark(app, [event.data.client_id for event in batch], revocations.TOKENS_REMEMBERED)


@reaction(OAuthClientRevoked, lane=SECURITY.name, prepare=mark_revoked_clients)
async def keep_revoked_clients(
    tx: Transaction, batch: Sequence[Received[OAuthClientRevoked]], marked: None
) -> None:
    """Clients whose tokens are refused, also while Redis is down."""
    await store.keep_ended(tx, [(event.data.client_id, event.data.revoked_at) for event in batch])
    await tx.notify(CHANNEL, SESSIONS)


@reaction(ApiKeyRevoked, lane=SECURITY.name, prepare=mark_revoked_keys)
async def tell_revoked_keys(tx: Transaction, batch: Sequence[Received[ApiKeyRevoked]], marked: None) -> None:
    """Have every process forget them, also one that heard of them while Redis was down."""
    await tx.notify(CHANNEL, _topic(API_KEYS, {event.data.api_key_id for event in batch}))


@reaction(SessionEnded, lane=SECURITY.name, prepare=mark_revoked)
async def keep_ended_sessions(tx: Transaction, batch: Sequence[Received[SessionEnded]], marked: None) -> None:
    """Sessions whose tokens are refused, also while Redis is down."""
    await store.keep_ended(tx, [(event.data.session_id, event.data.ended_at) for event in batch])
    await tx.notify(CHANNEL, SESSIONS)


@reaction(OrganizationGrantRevoked, lane=SECURITY.name)
async def keep_revoked_grants(tx: Transaction, batch: Sequence[Received[OrganizationGrantRevoked]]) -> None:
    """Grants whose guests' tokens are refused; told to both organizations, kept once."""
    ended = {event.data.grant_id: event.data.revoked_at for event in batch}
    await store.keep_ended(tx, sorted(ended.items()))
    await tx.notify(CHANNEL, SESSIONS)

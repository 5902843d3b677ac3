"""Events of auth, made of its entities."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events import auth as events
from flotilla.events import security as security_events
from flotilla.events.base import Event
from flotilla.security.revocations import KEYS_REMEMBERED, TOKENS_REMEMBERED
from flotilla.store.postgres import Transaction

from flotilla_auth.domain.api_keys import ApiKey
from flotilla_auth.domain.entities import Invitation, Organization, Session, User
from flotilla_auth.domain.oauth_clients import OAuthClient
from flotilla_auth.domain.teams import Team
from flotilla_auth.resources import own
from flotilla_auth.store import users

ORG: Final = "org"
USER_FIELDS: Final = ("name", "role", "role_id", "locale", "time_zone", "avatar_url", "state")
ORGANIZATION_FIELDS: Final = (
    "name",
    "slug",
    "locale",
    "time_zone",
    "currency",
    "state",
    "onboarding",
    "second_factor_required",
    "allowed_origins",
    "domain",
)
TEAM_FIELDS: Final = ("name", "skills", "distribution", "sticky", "time_zone", "hours", "state")


def changes(old: object, new: object, fields: Iterable[str]) -> dict[str, list[Any]]:
    """`{field: [old, new]}` of those that differ."""
    pairs = {field: [getattr(old, field), getattr(new, field)] for field in fields}
    return {field: pair for field, pair in pairs.items() if pair[0] != pair[1]}


def user(tx: Transaction, type_: type[events.User], now: User, before: User | None = None) -> None:
    """Emit the state of a person."""
    event = type_(
        user_id=now.id,
        email=now.email,
        name=now.name,
        role=now.role,
        role_id=now.role_id,
        locale=now.locale,
        time_zone=now.time_zone,
        avatar_url=now.avatar_url,
        state=now.state,
        changed=changes(before, now, USER_FIELDS) if before else {},
    )
    tx.emit(event, org=now.organization_id, sequence=now.sequence, audience=ORG)


def organization(
    tx: Transaction,
    type_: type[events.Organization],
    now: Organization,
    before: Organization | None = None,
    cause: Cause | None = None,
    **more: Any,
) -> None:
    """Emit the state of an organization."""
    event = type_(
        organization_id=now.id,
        name=now.name,
        slug=now.slug,
        locale=now.locale,
        time_zone=now.time_zone,
        currency=now.currency,
        region=now.region,
        state=now.state,
        onboarding=now.onboarding,
        second_factor_required=now.second_factor_required,
        allowed_origins=now.allowed_origins,
        domain=now.domain,
        changed=changes(before, now, ORGANIZATION_FIELDS) if before else {},
        **more,
    )
    tx.emit(event, org=now.id, sequence=now.sequence, cause=cause, audience=ORG)


def logged_in(tx: Transaction, session: Session) -> None:
    """A session began."""
    event = events.UserLoggedIn(
        session_id=session.id,
        user_id=session.user_id,
        method=session.method,
        address=session.address,
        user_agent=session.user_agent,
    )
    tx.emit(event, org=session.organization_id, sequence=session.sequence, audience=f"user:{session.user_id}")


def session_ended(tx: Transaction, session: Session, reason: str) -> None:
    """A session ended; `session` is its state after that."""
    event = events.SessionEnded(
        session_id=session.id,
        user_id=session.user_id,
        reason=reason,
        ended_at=session.ended_at or datetime.now(UTC),
    )
    tx.emit(event, org=session.organization_id, sequence=session.sequence, audience=f"user:{session.user_id}")
    _refuse(tx, session.id, TOKENS_REMEMBERED)


async def security(tx: Transaction, organizations: Sequence[UUID], user_id: UUID, event: Event) -> None:
    """Say something of how a person proves who they are, in all of these organizations; holds the person in them."""
    for row in await users.count_security(tx, organizations, user_id):
        org, sequence = row["organization_id"], row["security_changes"]
        tx.emit(event, org=org, sequence=sequence, audience=f"user:{user_id}")


def api_key(tx: Transaction, type_: type[events.ApiKey], now: ApiKey, **more: Any) -> None:
    """Emit the state of a key: for owners and administrators only."""
    event = type_(
        api_key_id=now.id,
        name=now.name,
        scopes=now.scopes,
        role=now.role,
        created_by=now.created_by,
        expires_at=now.expires_at,
        requests_per_hour=now.requests_per_hour,
        verifier=now.verifier.hex(),
        **more,
    )
    tx.emit(event, org=now.organization_id, sequence=now.sequence)
    if type_ is events.ApiKeyRevoked:
        _refuse(tx, now.id, KEYS_REMEMBERED)


def oauth_client(
    tx: Transaction, type_: type[security_events.OAuthClient], now: OAuthClient, **more: Any
) -> None:
    """Emit the state of an OAuth client: for owners and administrators only."""
    event = type_(
        client_id=now.id,
        name=now.name,
        scopes=now.scopes,
        role=now.role,
        created_by=now.created_by,
        secret_rotated_at=now.secret_rotated_at,
        **more,
    )
    tx.emit(event, org=now.organization_id, sequence=now.sequence)


def oauth_client_revoked(tx: Transaction, now: OAuthClient) -> None:
    """The same of one that ended, and why."""
    oauth_client(
        tx, security_events.OAuthClientRevoked, now, revoked_at=now.revoked_at, reason=now.revoke_reason
    )
    _refuse(tx, now.id, TOKENS_REMEMBERED)


def _refuse(tx: Transaction, id_: UUID, remembered: timedelta) -> None:
    """At every gateway, once this is committed; the event sees to it where this process dies before."""
    tx.after_commit(partial(own(tx.app).revocations.begin, id_, remembered))


def invitation(tx: Transaction, type_: type[events.Invitation], now: Invitation, **more: Any) -> None:
    """Emit the state of an invitation: for owners and administrators only."""
    event = type_(
        invitation_id=now.id,
        email=now.email,
        role=now.role,
        invited_by=now.invited_by,
        expires_at=now.expires_at,
        state=now.state,
        contact_id=now.contact_id,
        **more,
    )
    tx.emit(event, org=now.organization_id, sequence=now.sequence)


def team(tx: Transaction, type_: type[events.Team], now: Team, before: Team | None = None) -> None:
    """Emit the state of a team."""
    event = type_(
        team_id=now.id,
        name=now.name,
        skills=now.skills,
        distribution=now.distribution,
        sticky=now.sticky,
        time_zone=now.time_zone,
        hours=now.hours,
        state=now.state,
        changed=changes(before, now, TEAM_FIELDS) if before else {},
    )
    tx.emit(event, org=now.organization_id, sequence=now.sequence, audience=ORG)

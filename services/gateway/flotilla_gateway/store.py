"""The gateway's SQL. All its tables are look-ups of ids and states (migrations/*.sql)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.events.auth import PublicKey
from flotilla.features import API_REQUESTS
from flotilla.store.postgres import Database, Row, Transaction

from flotilla_gateway.trust.records import Entitled, KnownKey, Membership, OwnRole

KEEP_KEYS: Final = """
INSERT INTO key_sets AS kept (key_set_id, sequence, keys)
SELECT id, sequence, keys::jsonb FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS t (id, sequence, keys)
ON CONFLICT (key_set_id) DO UPDATE SET sequence = excluded.sequence, keys = excluded.keys
WHERE kept.sequence < excluded.sequence"""

KEEP_ENDED: Final = """
INSERT INTO ended_sessions (session_id, ended_at) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])
ON CONFLICT (session_id) DO NOTHING"""

KEEP_ORGANIZATIONS: Final = """
INSERT INTO organization_states AS kept (organization_id, sequence, state, allowed_origins)
SELECT org, sequence, state, string_to_array(origins, ' ')
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) AS t (org, sequence, state, origins)
ON CONFLICT (organization_id) DO UPDATE
SET sequence = excluded.sequence, state = excluded.state, allowed_origins = excluded.allowed_origins
WHERE kept.sequence < excluded.sequence"""

# For good: no word of auth's is newer.
CLOSE: Final = """
INSERT INTO organization_states AS kept (organization_id, sequence, state)
VALUES ($1, 9223372036854775807, 'suspended')
ON CONFLICT (organization_id) DO UPDATE
SET sequence = excluded.sequence, state = excluded.state, allowed_origins = '{}'"""

READ_ORIGINS: Final = """
SELECT organization_id, allowed_origins FROM organization_states
WHERE allowed_origins <> '{}' AND ($1::uuid[] IS NULL OR organization_id = ANY($1))"""

KEEP_MEMBERSHIPS: Final = """
INSERT INTO memberships AS kept (organization_id, user_id, sequence, role, state, role_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::uuid[])
ON CONFLICT (organization_id, user_id) DO UPDATE
SET sequence = excluded.sequence, role = excluded.role, state = excluded.state, role_id = excluded.role_id,
    noted_at = now()
WHERE kept.sequence < excluded.sequence"""

KEEP_ROLES: Final = """
INSERT INTO roles AS kept (organization_id, role_id, sequence, grants)
SELECT org, role, sequence, string_to_array(grants, ' ')
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) AS t (org, role, sequence, grants)
ON CONFLICT (organization_id, role_id) DO UPDATE SET sequence = excluded.sequence, grants = excluded.grants
WHERE kept.sequence < excluded.sequence"""

READ_ROLES: Final = """
SELECT organization_id, role_id, grants FROM roles WHERE $1::uuid[] IS NULL OR role_id = ANY($1)"""

KEEP_TEAM_MEMBERS: Final = """
INSERT INTO team_members AS kept (organization_id, membership_id, sequence, team_id, user_id, left_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::timestamptz[])
ON CONFLICT (organization_id, membership_id) DO UPDATE
SET sequence = excluded.sequence, team_id = excluded.team_id, user_id = excluded.user_id, left_at = excluded.left_at
WHERE kept.sequence < excluded.sequence"""

READ_TEAM_MEMBERS: Final = """
SELECT organization_id, team_id, user_id FROM team_members
WHERE left_at IS NULL AND ($1::uuid[] IS NULL OR organization_id = ANY($1))"""

# A revocation stays whatever comes late; the word of its making may come after it.
KEEP_API_KEYS: Final = """
INSERT INTO api_keys AS kept
    (api_key_id, organization_id, sequence, verifier, scopes, role, created_by, expires_at, revoked,
     requests_per_hour)
SELECT id, org, sequence, verifier, string_to_array(scopes, ' '), role, created_by, expires_at, revoked,
       requests_per_hour
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[], $5::text[], $6::text[], $7::uuid[],
            $8::timestamptz[], $9::boolean[], $10::integer[])
     AS t (id, org, sequence, verifier, scopes, role, created_by, expires_at, revoked, requests_per_hour)
ON CONFLICT (api_key_id) DO UPDATE
SET sequence = excluded.sequence, verifier = excluded.verifier, scopes = excluded.scopes, role = excluded.role,
    expires_at = excluded.expires_at, revoked = excluded.revoked, requests_per_hour = excluded.requests_per_hour
WHERE kept.sequence < excluded.sequence"""

READ_API_KEYS: Final = """
SELECT api_key_id, organization_id, verifier, scopes, role, created_by, expires_at, revoked, requests_per_hour
FROM api_keys
WHERE CASE WHEN $1::uuid[] IS NULL THEN NOT revoked ELSE api_key_id = ANY($1) END"""

# Whichever process was called: the first to say so in an hour does, and the others need not.
NOTE_USED: Final = """
INSERT INTO api_key_uses AS kept (api_key_id, organization_id, used_hour)
SELECT id, org, hour FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t (org, id, hour) ORDER BY id
ON CONFLICT (api_key_id) DO UPDATE SET used_hour = excluded.used_hour WHERE kept.used_hour < excluded.used_hour
RETURNING api_key_id, organization_id, used_hour"""

KEEP_ENTITLEMENTS: Final = """
INSERT INTO entitlements AS kept
    (organization_id, feature, sequence, enabled, usage_limit, used_up, period_ends_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[], $5::bigint[], $6::boolean[],
                     $7::timestamptz[])
ON CONFLICT (organization_id, feature) DO UPDATE
SET sequence = excluded.sequence, enabled = excluded.enabled, usage_limit = excluded.usage_limit,
    used_up = excluded.used_up, period_ends_at = excluded.period_ends_at
WHERE kept.sequence < excluded.sequence"""

READ_ENTITLEMENTS: Final = """
SELECT organization_id, feature, enabled, usage_limit, used_up, period_ends_at FROM entitlements
WHERE ($1::uuid[] IS NULL OR organization_id = ANY($1)) AND (NOT enabled OR used_up OR feature = $2)"""

READ_KEYS: Final = "SELECT keys FROM key_sets"
READ_SUSPENDED: Final = "SELECT organization_id FROM organization_states WHERE state = 'suspended'"
READ_ENDED: Final = "SELECT session_id FROM ended_sessions WHERE noted_at > now() - $1::interval"
READ_CHANGED: Final = """
SELECT organization_id, user_id, role, role_id, state FROM memberships WHERE noted_at > now() - $1::interval"""
FORGET_ENDED: Final = "DELETE FROM ended_sessions WHERE noted_at < now() - $1::interval"


async def keep_keys(tx: Transaction, sets: Sequence[tuple[UUID, int, list[PublicKey]]]) -> None:
    """Newer sets of signing keys replace older ones."""
    ids, sequences, keys = zip(*sets, strict=True)
    # As text: a list of lists would be taken for an array of two dimensions.
    encoded = [msgspec.json.encode(each).decode() for each in keys]
    await tx.execute(KEEP_KEYS, list(ids), list(sequences), encoded)


async def keep_ended(tx: Transaction, ended: Sequence[tuple[UUID, datetime]]) -> None:
    """Sessions that are over."""
    await tx.execute(KEEP_ENDED, *_columns(ended))


async def keep_organizations(tx: Transaction, states: Sequence[tuple[UUID, int, str, list[str]]]) -> None:
    """Newer states of organizations, and the origins they list."""
    rows = [(*state, " ".join(origins)) for *state, origins in states]
    await tx.execute(KEEP_ORGANIZATIONS, *_columns(rows))


async def close(tx: Transaction, org: UUID) -> None:
    """Nobody of it is let in any more."""
    await tx.execute(CLOSE, org)


async def read_origins(db: Database, orgs: Sequence[UUID] | None = None) -> list[tuple[UUID, list[str]]]:
    """Which origins these organizations, or any, list; nothing of those that list none."""
    rows = await db.fetch(READ_ORIGINS, None if orgs is None else list(orgs))
    return [(row["organization_id"], row["allowed_origins"]) for row in rows]


async def keep_memberships(
    tx: Transaction, members: Sequence[tuple[UUID, UUID, int, str, str, UUID | None]]
) -> None:
    """Newer roles and states of people in organizations."""
    await tx.execute(KEEP_MEMBERSHIPS, *_columns(members))


async def keep_roles(tx: Transaction, roles: Sequence[tuple[UUID, UUID, int, dict[str, str]]]) -> None:
    """Newer grants of organizations' own roles."""
    rows = [(*row[:3], " ".join(f"{name}={scope}" for name, scope in row[3].items())) for row in roles]
    await tx.execute(KEEP_ROLES, *_columns(rows))


async def read_roles(db: Database, ids: Sequence[UUID] | None = None) -> list[OwnRole]:
    """Those with these ids, or all."""
    rows = await db.fetch(READ_ROLES, None if ids is None else list(ids))
    return [
        OwnRole(
            row["organization_id"],
            row["role_id"],
            {name: scope for name, _, scope in (grant.partition("=") for grant in row["grants"])},
        )
        for row in rows
    ]


async def keep_team_members(
    tx: Transaction, members: Sequence[tuple[UUID, UUID, int, UUID, UUID, datetime | None]]
) -> None:
    """Newer memberships of teams: organization, membership, sequence, team, person, when they left."""
    await tx.execute(KEEP_TEAM_MEMBERS, *_columns(members))


async def read_teams(db: Database, orgs: Sequence[UUID] | None = None) -> dict[UUID, dict[UUID, set[UUID]]]:
    """Organization to team to who is in it; of these organizations, or all."""
    found: dict[UUID, dict[UUID, set[UUID]]] = {}
    for row in await db.fetch(READ_TEAM_MEMBERS, None if orgs is None else list(orgs)):
        teams = found.setdefault(row["organization_id"], {})
        teams.setdefault(row["team_id"], set()).add(row["user_id"])
    return found


async def keep_api_keys(tx: Transaction, keys: Sequence[tuple[Any, ...]]) -> None:
    """Newer states of keys: id, organization, sequence, verifier, scopes, role, creator, expiry, revoked,
    requests an hour."""
    await tx.execute(KEEP_API_KEYS, *_columns(keys))


async def keep_entitlements(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    """Newer states: organization, feature, sequence, enabled, limit, whether it is used up, until when."""
    await tx.execute(KEEP_ENTITLEMENTS, *_columns(rows))


async def read_api_keys(db: Database, ids: Sequence[UUID] | None = None) -> list[KnownKey]:
    """Those with these ids, or all that are good."""
    rows = await db.fetch(READ_API_KEYS, None if ids is None else list(ids))
    return [KnownKey(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]


async def read_entitlements(db: Database, orgs: Sequence[UUID] | None = None) -> list[Entitled]:
    """What limits these organizations, or any: nothing is said of features that they may use as they like."""
    rows = await db.fetch(READ_ENTITLEMENTS, None if orgs is None else list(orgs), API_REQUESTS)
    return [Entitled(**row) for row in rows]


async def note_used(tx: Transaction, uses: Sequence[tuple[UUID, UUID, datetime]]) -> list[Row]:
    """(organization, key, hour): those rows that nobody noted yet."""
    return await tx.fetch(NOTE_USED, *_columns(uses))


async def read_keys(db: Database) -> list[PublicKey]:
    """All signing keys whose tokens may still be about."""
    rows = await db.fetch(READ_KEYS)
    return [key for row in rows for key in msgspec.convert(row["keys"], list[PublicKey])]


async def read_suspended(db: Database) -> set[UUID]:
    """Organizations that may do nothing."""
    return {row["organization_id"] for row in await db.fetch(READ_SUSPENDED)}


async def read_ended(db: Database, within: timedelta) -> set[UUID]:
    """Sessions that ended lately."""
    return {row["session_id"] for row in await db.fetch(READ_ENDED, within)}


async def read_changed(db: Database, within: timedelta) -> dict[tuple[UUID, UUID], Membership]:
    """By (organization, user): those that changed lately."""
    rows = await db.fetch(READ_CHANGED, within)
    return {
        (row["organization_id"], row["user_id"]): Membership(row["role"], row["role_id"], row["state"])
        for row in rows
    }


async def forget_ended(db: Database, older: timedelta) -> None:
    """Drop sessions of which no token is good any more."""
    await db.execute(FORGET_ENDED, older)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]

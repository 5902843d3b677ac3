"""Requests to erase or to export, and what each service answered."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Database, Row, Transaction
from flotilla.store.where import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequest:
    """A person or an organization that all services were asked about."""

    organization_id: UUID
    id: UUID
    sequence: int
    what: str
    kind: str
    contact_id: UUID | None
    user_id: UUID | None
    contact_ids: list[UUID]
    identity_ids: list[UUID]
    user_ids: list[UUID]
    conversation_ids: list[UUID]
    state: str
    reason: str | None
    attempt: int
    requested_by: str
    requested_at: datetime
    ended_at: datetime | None
    report: str | None
    archive: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a service said."""

    service: str
    state: str
    result: dict[str, Any]
    reason: str | None
    answered_at: datetime | None


INSERT: Final = """
INSERT INTO privacy_requests (organization_id, id, what, kind, contact_id, user_id, user_ids, state, requested_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *"""
EXPECT: Final = """
INSERT INTO privacy_answers (organization_id, request_id, service)
SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING"""
READ: Final = "SELECT * FROM privacy_requests WHERE organization_id = $1 AND id = $2"
# In one order for all processes; whoever holds the row has the latest answers.
LOCK: Final = """
SELECT r.* FROM privacy_requests r
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON r.organization_id = t.org AND r.id = t.id
ORDER BY r.organization_id, r.id FOR UPDATE OF r"""
LIST: Final = "SELECT * FROM privacy_requests"
OPEN: Final = """
SELECT id FROM privacy_requests
WHERE organization_id = $1 AND what = $2 AND state IN ('resolving', 'running', 'collecting')
  AND contact_id IS NOT DISTINCT FROM $3 AND user_id IS NOT DISTINCT FROM $4"""
SAVE: Final = """
UPDATE privacy_requests SET contact_ids = $3, identity_ids = $4, state = $5, reason = $6, attempt = $7, ended_at = $8,
    report = $9, archive = $10, conversation_ids = $11, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING *"""
ANSWER: Final = """
UPDATE privacy_answers a SET state = t.state, result = t.result, reason = t.reason, answered_at = now()
FROM jsonb_to_recordset($1)
    AS t (org uuid, request uuid, service text, state text, result jsonb, reason text)
WHERE a.organization_id = t.org AND a.request_id = t.request AND a.service = t.service AND a.state <> 'completed'"""
ANSWERS: Final = """
SELECT service, state, result, reason, answered_at FROM privacy_answers
WHERE organization_id = $1 AND request_id = $2 ORDER BY service"""
OWNERS: Final = """
SELECT id FROM users WHERE organization_id = $1 AND role = 'owner' AND state = 'active' ORDER BY id"""
LINK: Final = """
INSERT INTO privacy_links (token_hash, organization_id, request_id, expires_at) VALUES ($1, $2, $3, $4)"""
FOLLOW: Final = """
SELECT organization_id, request_id FROM privacy_links WHERE token_hash = $1 AND expires_at > now()"""
EXPORTS_OF: Final = """
SELECT id FROM privacy_requests
WHERE organization_id = $1 AND what = 'export' AND (archive IS NOT NULL OR ended_at IS NULL)
  AND (kind = 'organization' OR contact_ids && $2::uuid[] OR user_ids && $3::uuid[])"""
FORGET_EXPORTS: Final = """
UPDATE privacy_requests SET archive = NULL
WHERE organization_id = $1 AND what = 'export' AND archive IS NOT NULL
  AND (kind = 'organization' OR contact_ids && $2::uuid[] OR user_ids && $3::uuid[])"""
FORGET_LINKS: Final = "DELETE FROM privacy_links WHERE expires_at < now()"
KEEP_KEY: Final = "INSERT INTO report_keys (id, public_key) VALUES ($1, $2) ON CONFLICT DO NOTHING"
KEYS: Final = "SELECT id, public_key FROM report_keys ORDER BY id"


async def insert(tx: Transaction, request: PrivacyRequest, services: Sequence[str]) -> PrivacyRequest:
    """Write a new one, with the services it waits for."""
    row = await tx.fetchrow(
        INSERT,
        request.organization_id,
        request.id,
        request.what,
        request.kind,
        request.contact_id,
        request.user_id,
        request.user_ids,
        request.state,
        request.requested_by,
    )
    await tx.execute(EXPECT, request.organization_id, request.id, list(services))
    assert row is not None
    return PrivacyRequest(**row)


async def read(tx: Transaction, org: UUID, request_id: UUID) -> PrivacyRequest | None:
    """One of them."""
    row = await tx.fetchrow(READ, org, request_id)
    return PrivacyRequest(**row) if row else None


async def lock(tx: Transaction, keys: Sequence[tuple[UUID, UUID]]) -> list[PrivacyRequest]:
    """These, (organization, id), held."""
    rows = await tx.fetch(LOCK, [org for org, _ in keys], [id_ for _, id_ in keys])
    return [PrivacyRequest(**row) for row in rows]


async def listing(
    tx: Transaction, org: UUID, what: str, order: Order, after: Sequence[object] | None, limit: int
) -> list[PrivacyRequest]:
    """`limit` of them in this order, after the one with the key `after`."""
    rows = await order.read(tx, LIST, Where(org).equal({"what": what}), after, limit)
    return [PrivacyRequest(**row) for row in rows]


async def open_one(
    tx: Transaction, org: UUID, what: str, contact_id: UUID | None, user_id: UUID | None
) -> UUID | None:
    """The one about the same that has not ended."""
    found: UUID | None = await tx.fetchval(OPEN, org, what, contact_id, user_id)
    return found


async def save(tx: Transaction, request: PrivacyRequest) -> PrivacyRequest:
    """Write what has changed of one that is held."""
    row = await tx.fetchrow(
        SAVE,
        request.organization_id,
        request.id,
        request.contact_ids,
        request.identity_ids,
        request.state,
        request.reason,
        request.attempt,
        request.ended_at,
        request.report,
        request.archive,
        request.conversation_ids,
    )
    assert row is not None
    return PrivacyRequest(**row)


async def keep_answers(tx: Transaction, answers: Sequence[dict[str, Any]]) -> None:
    """What services said: {org, request, service, state, result, reason}; what was completed stays so."""
    await tx.execute(ANSWER, list(answers))


async def answers(tx: Transaction, org: UUID, request_id: UUID) -> list[Answered]:
    """Of all services, by name."""
    return [Answered(**row) for row in await tx.fetch(ANSWERS, org, request_id)]


async def owners(tx: Transaction, org: UUID) -> list[UUID]:
    """Who is told when something needs a person."""
    return [row["id"] for row in await tx.fetch(OWNERS, org)]


async def link(tx: Transaction, token_hash: bytes, org: UUID, request_id: UUID, expires_at: datetime) -> None:
    """Whoever has the token may read the request's outcome until then."""
    await tx.execute(FORGET_LINKS)
    await tx.execute(LINK, token_hash, org, request_id, expires_at)


async def follow(db: Database, token_hash: bytes) -> Row | None:
    """The organization and the request of a token."""
    return await db.fetchrow(FOLLOW, token_hash)


async def keep_key(tx: Transaction, key_id: UUID, public_key: bytes) -> None:
    """It signed a report: known for good."""
    await tx.execute(KEEP_KEY, key_id, public_key)


async def keys(tx: Transaction) -> list[Row]:
    """Every key that ever signed a report."""
    return await tx.fetch(KEYS)


async def exports_of(
    tx: Transaction, org: UUID, contacts: Collection[UUID], users: Collection[UUID]
) -> list[UUID]:
    """Requests for archives in which any of them is, which are there or under way."""
    rows = await tx.fetch(EXPORTS_OF, org, list(contacts), list(users))
    return [row["id"] for row in rows]


async def forget_exports(
    tx: Transaction, org: UUID, contacts: Collection[UUID], users: Collection[UUID]
) -> None:
    """Those archives are no longer there."""
    await tx.execute(FORGET_EXPORTS, org, list(contacts), list(users))

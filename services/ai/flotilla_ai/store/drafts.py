"""Drafts. Every change names the states it may start from and counts the sequence up."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.security.reach import only_owner
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_ai.domain.drafts import UNDECIDED, Failure, State, before
from flotilla_ai.store import assignees

INSERT: Final = """
INSERT INTO drafts (organization_id, id, message_id, conversation_id, position, account_id, identity_id, contact_id,
                    agent, provider, text, confidence, citations, verdict, state, reason, cause, request_id)
SELECT * FROM jsonb_to_recordset($1) AS t (
    organization_id uuid, id uuid, message_id uuid, conversation_id uuid, position bigint, account_id uuid,
    identity_id uuid, contact_id uuid, agent text, provider text, text text, confidence real, citations jsonb,
    verdict jsonb, state text, reason text, cause jsonb, request_id uuid)
ON CONFLICT (organization_id, message_id) WHERE request_id IS NULL DO NOTHING
RETURNING *"""

_UNDECIDED: Final = ", ".join(f"'{state}'" for state in sorted(UNDECIDED))

# The states stand in the text: a plan for any parameter could not use the index of the undecided, and would read all
# drafts of a long conversation.
SUPERSEDE: Final = f"""
UPDATE drafts d SET state = 'failed', reason = $4, sequence = sequence + 1, decided_at = now()
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS t (org, conversation, position)
WHERE d.organization_id = t.org AND d.conversation_id = t.conversation AND d.position < t.position
  AND d.state IN ({_UNDECIDED})
RETURNING d.*"""  # noqa: S608

GENERATED: Final = """
UPDATE drafts SET state = $3, reason = $4, provider = $5, text = $6, confidence = $7, citations = $8, verdict = $9,
                  sequence = sequence + 1, generated_at = now()
WHERE organization_id = $1 AND id = $2 AND state = 'requested' RETURNING *"""

FAIL: Final = """
UPDATE drafts SET state = 'failed', reason = $3, sequence = sequence + 1, generated_at = now()
WHERE organization_id = $1 AND id = $2 AND state = 'requested' RETURNING *"""

FAIL_UNDECIDED: Final = """
UPDATE drafts SET state = 'failed', reason = $3, sequence = sequence + 1, decided_at = now()
WHERE organization_id = $1 AND state = 'generated' AND generated_at <= now() - make_interval(secs => $2)
RETURNING *"""

LOCK: Final = "SELECT * FROM drafts WHERE organization_id = $1 AND id = $2 FOR UPDATE"

DECIDE: Final = """
UPDATE drafts SET state = $3, sent_text = $4, reason = $5, sequence = sequence + 1, decided_at = now(), decided_by = $6
WHERE organization_id = $1 AND id = $2 AND state = ANY($7) RETURNING *"""

# A draft is sent once, as the reply made of it is; a person who sends it again is not told of twice.
SENT: Final = """
UPDATE drafts d SET sent_at = t.sent_at, sent_message_id = t.message, sequence = sequence + 1
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[]) AS t (org, draft, message, sent_at)
WHERE d.organization_id = t.org AND d.id = t.draft AND d.state = 'approved' AND d.sent_at IS NULL
RETURNING d.*"""

READ: Final = "SELECT * FROM drafts WHERE organization_id = $1 AND id = $2"

LIST: Final = "SELECT * FROM drafts"


async def insert(tx: Transaction, rows: Sequence[dict[str, Any]]) -> list[Row]:
    """New drafts; those of messages that have none yet."""
    return await tx.fetch(INSERT, list(rows)) if rows else []


async def supersede(tx: Transaction, newest: dict[tuple[UUID, UUID], int]) -> list[Row]:
    """End undecided drafts before the newest position of each (organization, conversation)."""
    keys = sorted(newest)
    return await tx.fetch(
        SUPERSEDE,
        [org for org, _ in keys],
        [id_ for _, id_ in keys],
        [newest[key] for key in keys],
        Failure.SUPERSEDED,
    )


async def generated(
    tx: Transaction,
    org: UUID,
    draft_id: UUID,
    *,
    state: State,
    reason: str | None,
    provider: str,
    text: str | None,
    confidence: float,
    citations: list[Any],
    verdict: Any,
) -> Row | None:
    """Fill in what was requested; None where it was superseded or too late."""
    return await tx.fetchrow(
        GENERATED, org, draft_id, state, reason, provider, text, confidence, citations, verdict
    )


async def fail(tx: Transaction, org: UUID, draft_id: UUID, reason: Failure) -> Row | None:
    """End what was requested; None where it came after all."""
    return await tx.fetchrow(FAIL, org, draft_id, reason)


async def fail_undecided(tx: Transaction, org: UUID, seconds: float) -> list[Row]:
    """End drafts that nobody decided on for so long."""
    return await tx.fetch(FAIL_UNDECIDED, org, seconds, Failure.UNDECIDED)


async def lock(tx: Transaction, org: UUID, draft_id: UUID) -> Row | None:
    """One draft, held until the transaction ends."""
    return await tx.fetchrow(LOCK, org, draft_id)


async def sent(tx: Transaction, told: Sequence[tuple[UUID, UUID, UUID, datetime]]) -> list[Row]:
    """Note that drafts went out, by (organization, draft, message, when), each named once: those not noted before."""
    columns = [list(column) for column in zip(*sorted(told), strict=True)]
    return await tx.fetch(SENT, *columns)


async def decide(
    tx: Transaction,
    org: UUID,
    draft_id: UUID,
    state: State,
    *,
    by: str,
    sent_text: str | None,
    reason: str | None,
) -> Row | None:
    """A person's decision; None from a state that has none."""
    return await tx.fetchrow(DECIDE, org, draft_id, state, sent_text, reason, by, before(state))


async def read(tx: Transaction, org: UUID, draft_id: UUID) -> Row | None:
    """One draft."""
    return await tx.fetchrow(READ, org, draft_id)


async def listing(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """Those that fit, in this order, after the one with the key `after`. `filters`: column → value."""
    where = Where(org).equal(filters)
    if (mine := only_owner("drafts")) is not None:
        where.also(assignees.MINE, org, mine)
    return await order.read(tx, LIST, where, after, limit)

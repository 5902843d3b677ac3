"""SQL of quality: criteria, reviews, and what reviewers make of the same conversations."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

_FIELDS: Final = "name, description, weight, most, active"
_CRITERION: Final = f"organization_id, id, sequence, {_FIELDS}, created_at"
_JUDGED: Final = "conversation_id, agent_id, reviewer_id, score, scores, comment, reviewed_at"
_REVIEW: Final = f"organization_id, id, sequence, {_JUDGED}"

INSERT: Final = f"""
INSERT INTO quality_criteria (organization_id, id, {_FIELDS}) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING {_CRITERION}"""  # noqa: S608
UPDATE: Final = f"""
UPDATE quality_criteria SET sequence = sequence + 1, ({_FIELDS}) = ($3, $4, $5, $6, $7)
WHERE organization_id = $1 AND id = $2 RETURNING {_CRITERION}"""  # noqa: S608
READ: Final = f"SELECT {_CRITERION} FROM quality_criteria WHERE organization_id = $1 AND id = $2"  # noqa: S608
LIST: Final = f"SELECT {_CRITERION} FROM quality_criteria"  # noqa: S608
COUNT: Final = "SELECT count(*) FROM quality_criteria WHERE organization_id = $1"
NAMED: Final = f"""
SELECT {_CRITERION} FROM quality_criteria WHERE organization_id = $1 AND id = ANY($2) AND active"""  # noqa: S608

# A reviewer judges a conversation once; who judges it again changes their judgement.
REVIEW: Final = f"""
INSERT INTO quality_reviews (organization_id, id, conversation_id, agent_id, reviewer_id, score, scores, comment)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (organization_id, conversation_id, reviewer_id) DO UPDATE
SET sequence = quality_reviews.sequence + 1, agent_id = excluded.agent_id, score = excluded.score,
    scores = excluded.scores, comment = excluded.comment, reviewed_at = now()
RETURNING {_REVIEW}"""  # noqa: S608
BEFORE: Final = """
SELECT score, agent_id FROM quality_reviews
WHERE organization_id = $1 AND conversation_id = $2 AND reviewer_id = $3 FOR UPDATE"""
READ_REVIEW: Final = f"SELECT {_REVIEW} FROM quality_reviews WHERE organization_id = $1 AND id = $2"  # noqa: S608
LIST_REVIEWS: Final = f"SELECT {_REVIEW} FROM quality_reviews"  # noqa: S608
OF_CONVERSATION: Final = f"""
SELECT {_REVIEW} FROM quality_reviews WHERE organization_id = $1 AND conversation_id = $2
ORDER BY reviewed_at, id LIMIT 100"""  # noqa: S608

# How far from the others each reviewer is, over conversations that several judged.
REVIEWERS: Final = """
WITH judged AS (
    SELECT conversation_id, avg(score) AS average FROM quality_reviews
    WHERE organization_id = $1 AND reviewed_at >= $2 AND reviewed_at < $3
    GROUP BY conversation_id HAVING count(*) > 1)
SELECT r.reviewer_id, count(*) AS reviews, round(avg(r.score), 2) AS average,
       count(j.average) AS shared, round(avg(r.score - j.average), 2) AS deviation
FROM quality_reviews r LEFT JOIN judged j USING (conversation_id)
WHERE r.organization_id = $1 AND r.reviewed_at >= $2 AND r.reviewed_at < $3
GROUP BY r.reviewer_id ORDER BY r.reviewer_id LIMIT 1000"""
AGENTS: Final = """
SELECT agent_id, count(*) AS reviews, count(DISTINCT conversation_id) AS conversations, round(avg(score), 2) AS average
FROM quality_reviews WHERE organization_id = $1 AND reviewed_at >= $2 AND reviewed_at < $3
GROUP BY agent_id ORDER BY agent_id LIMIT 1000"""


async def add(tx: Transaction, org: UUID, criterion_id: UUID, fields: Sequence[Any]) -> Row:
    """Save a criterion; `fields` in the order of the table."""
    row = await tx.fetchrow(INSERT, org, criterion_id, *fields)
    assert row is not None
    return row


async def save(tx: Transaction, org: UUID, criterion_id: UUID, fields: Sequence[Any]) -> Row:
    """Save it changed; reviews keep it as it stood."""
    row = await tx.fetchrow(UPDATE, org, criterion_id, *fields)
    assert row is not None
    return row


async def read(tx: Transaction, org: UUID, criterion_id: UUID, *, lock: bool = False) -> Row | None:
    """One; held until the commit with `lock`."""
    return await tx.fetchrow(READ + " FOR UPDATE" * lock, org, criterion_id)


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """All in this order (few enough for any), those after the one with the key `after`."""
    return await order.read(tx, LIST, Where(org), after, limit)


async def count(tx: Transaction, org: UUID) -> int:
    """How many there are."""
    return int(await tx.fetchval(COUNT, org))


async def named(tx: Transaction, org: UUID, ids: Collection[UUID]) -> dict[UUID, Row]:
    """Those of these that are in use."""
    return {row["id"]: row for row in await tx.fetch(NAMED, org, list(ids))}


async def before(tx: Transaction, org: UUID, conversation_id: UUID, reviewer_id: UUID) -> Row | None:
    """What this reviewer gave this conversation, held until the commit."""
    return await tx.fetchrow(BEFORE, org, conversation_id, reviewer_id)


async def review(tx: Transaction, org: UUID, review_id: UUID, fields: Sequence[Any]) -> Row:
    """Keep a judgement: (conversation, agent, reviewer, score, scores, comment)."""
    row = await tx.fetchrow(REVIEW, org, review_id, *fields)
    assert row is not None
    return row


async def read_review(tx: Transaction, org: UUID, review_id: UUID) -> Row | None:
    """One."""
    return await tx.fetchrow(READ_REVIEW, org, review_id)


async def list_reviews(
    tx: Transaction,
    org: UUID,
    agent_id: UUID | None,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """All, or those of an agent, in this order, after the one with the key `after`."""
    return await order.read(tx, LIST_REVIEWS, Where(org).equal({"agent_id": agent_id}), after, limit)


async def of_conversation(tx: Transaction, org: UUID, conversation_id: UUID) -> list[Row]:
    """What was given to one, the first hundred."""
    return await tx.fetch(OF_CONVERSATION, org, conversation_id)


async def reviewers(tx: Transaction, org: UUID, begin: datetime, end: datetime) -> list[Row]:
    """Each reviewer's average, and how far they are from the others on what several judged."""
    return await tx.fetch(REVIEWERS, org, begin, end)


async def agents(tx: Transaction, org: UUID, begin: datetime, end: datetime) -> list[Row]:
    """Each agent's average."""
    return await tx.fetch(AGENTS, org, begin, end)

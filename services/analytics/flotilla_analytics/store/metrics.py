"""SQL of the metrics: sums by cell, and what is remembered of conversations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.domain.metrics import Cell, Conversation, ConversationKey, Metric, Reply

READ_CONVERSATIONS: Final = """
SELECT facts.* FROM unnest($1::uuid[], $2::uuid[]) AS wanted (organization_id, id)
JOIN conversation_facts AS facts USING (organization_id, id)"""

UPSERT_CONVERSATIONS: Final = """
INSERT INTO conversation_facts (organization_id, id, channel, first_reply_at, first_reply_id, first_asked_at,
                                sequence, opened_at, resolved_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::uuid[], $6::timestamptz[],
                     $7::bigint[], $8::timestamptz[], $9::timestamptz[])
ON CONFLICT (organization_id, id) DO UPDATE
SET (channel, first_reply_at, first_reply_id, first_asked_at, sequence, opened_at, resolved_at)
  = (excluded.channel, excluded.first_reply_at, excluded.first_reply_id, excluded.first_asked_at,
     excluded.sequence, excluded.opened_at, excluded.resolved_at)"""

ADD: Final = """
INSERT INTO rollups (organization_id, metric, day, channel, agent, part, bucket, count, sum_ms)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::date[], $4::text[], $5::text[], $6::text[], $7::smallint[],
                     $8::bigint[], $9::bigint[])
ON CONFLICT (organization_id, metric, day, channel, agent, part, bucket) DO UPDATE
SET count = rollups.count + excluded.count, sum_ms = rollups.sum_ms + excluded.sum_ms"""

_GROUPED: Final = """
SELECT {keys} array_agg(bucket ORDER BY bucket) AS buckets, array_agg(count ORDER BY bucket) AS counts,
       sum(count)::bigint AS count, sum(sum_ms)::bigint AS sum_ms
FROM (SELECT {keys} bucket, sum(count)::bigint AS count, sum(sum_ms)::bigint AS sum_ms FROM rollups
      WHERE organization_id = $1 AND metric = $2 AND day >= $3 AND day < $4 AND count <> 0
      GROUP BY {keys} bucket) AS cells
{group_by} LIMIT $5"""


@dataclass(frozen=True, slots=True)
class Question:
    """Which numbers are wanted."""

    metric: Metric
    day_from: date
    """Inclusive."""
    day_to: date
    """Exclusive."""
    group_by: tuple[str, ...]
    """Columns of `rollups`; checked by the caller against a fixed list."""


async def read_conversations(
    tx: Transaction, keys: Iterable[ConversationKey]
) -> dict[ConversationKey, Conversation]:
    """What is remembered of these conversations."""
    wanted = list(keys)
    rows = await tx.fetch(READ_CONVERSATIONS, [org for org, _ in wanted], [key for _, key in wanted])
    return {(row["organization_id"], row["id"]): _conversation(row) for row in rows}


async def save(
    tx: Transaction,
    conversations: Mapping[ConversationKey, Conversation],
    deltas: Mapping[Cell, list[int]],
) -> None:
    """Keep what a fold made of its events."""
    if conversations:
        rows = [(*key, *_columns(known)) for key, known in conversations.items()]
        await tx.execute(UPSERT_CONVERSATIONS, *map(list, zip(*rows, strict=True)))
    if cells := [(*cell, *delta) for cell, delta in deltas.items() if delta != [0, 0]]:
        await tx.execute(ADD, *map(list, zip(*cells, strict=True)))


async def read_groups(tx: Transaction, org: UUID, question: Question, limit: int) -> list[Row]:
    """The sums of each group, in the order of its keys, with their buckets; at most `limit`."""
    keys = "".join(f"{column}, " for column in question.group_by)
    listed = ", ".join(question.group_by)
    group_by = f"GROUP BY {listed} ORDER BY {listed}" if listed else ""
    sql = _GROUPED.format(keys=keys, group_by=group_by)
    return await tx.fetch(sql, org, question.metric, question.day_from, question.day_to, limit)


def _conversation(row: Row) -> Conversation:
    reply = None
    if row["first_reply_at"] is not None:
        reply = Reply(row["first_reply_at"], row["first_reply_id"], row["first_asked_at"])
    return Conversation(row["channel"], reply, row["sequence"], row["opened_at"], row["resolved_at"])


def _columns(known: Conversation) -> tuple[object, ...]:
    reply = known.first_reply or (None, None, None)
    return (known.channel, *reply, known.sequence, known.opened_at, known.resolved_at)

"""SQL of surveys: templates, whom they were sent to, what was answered and the sums of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_analytics.domain.sales_facts import NONE
from flotilla_analytics.domain.surveys import SENT, Send

_FIELDS: Final = "name, kind, question, message, trigger, delay_minutes, cooldown_days, expires_days, active"
_SURVEY: Final = f"organization_id, id, sequence, {_FIELDS}, active_since, created_at"
_SEND: Final = (
    "s.organization_id, s.id, s.sequence, s.survey_id, t.kind, t.question, s.conversation_id, s.identity_id,"
    " s.contact_id, s.channel, s.agent_id, s.state, s.sent_at, s.expires_at, s.score, s.comment, s.answered_at"
)
_JOIN: Final = "JOIN surveys t ON t.organization_id = s.organization_id AND t.id = s.survey_id"

INSERT: Final = f"""
INSERT INTO surveys (organization_id, id, {_FIELDS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING {_SURVEY}"""  # noqa: S608
UPDATE: Final = f"""
UPDATE surveys SET sequence = sequence + 1, ({_FIELDS}) = ($3, $4, $5, $6, $7, $8, $9, $10, $11),
                   active_since = CASE WHEN $11 AND NOT active THEN now() ELSE active_since END
WHERE organization_id = $1 AND id = $2 RETURNING {_SURVEY}"""  # noqa: S608
READ: Final = f"SELECT {_SURVEY} FROM surveys WHERE organization_id = $1 AND id = $2"  # noqa: S608
LIST: Final = f"SELECT {_SURVEY} FROM surveys"  # noqa: S608
COUNT: Final = "SELECT count(*) FROM surveys WHERE organization_id = $1"

# What is known of conversations, newest state by the owner's count.
KNOW: Final = """
INSERT INTO conversation_agents (organization_id, id, sequence, channel, identity_id, contact_id, agent_id, state)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[])
ON CONFLICT (organization_id, id) DO UPDATE
SET (sequence, channel, identity_id, contact_id, agent_id, state)
  = (excluded.sequence, excluded.channel, excluded.identity_id, coalesce(excluded.contact_id,
     conversation_agents.contact_id), coalesce(excluded.agent_id, conversation_agents.agent_id), excluded.state)
WHERE conversation_agents.sequence < excluded.sequence"""
CONVERSATION: Final = "SELECT * FROM conversation_agents WHERE organization_id = $1 AND id = $2"

# Whom the end of these conversations asks: nobody whom the survey asked within its pause.
CANDIDATES: Final = """
SELECT DISTINCT ON (c.organization_id, t.id, c.identity_id)
       c.organization_id, t.id AS survey_id, c.id AS conversation_id, t.delay_minutes
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS ended (org, conversation, at)
JOIN conversation_agents c ON c.organization_id = ended.org AND c.id = ended.conversation
JOIN surveys t ON t.organization_id = ended.org
WHERE t.active AND t.trigger = 'conversation_resolved' AND ended.at >= t.active_since AND NOT EXISTS (
    SELECT FROM survey_sends p
    WHERE p.organization_id = ended.org AND p.survey_id = t.id AND p.identity_id = c.identity_id
      AND p.state <> 'cancelled' AND p.created_at > now() - make_interval(days => t.cooldown_days))
ORDER BY c.organization_id, t.id, c.identity_id, ended.at DESC"""
INSERT_WAITING: Final = """
INSERT INTO survey_sends (organization_id, id, survey_id, conversation_id, identity_id, contact_id, channel, agent_id,
                          state)
SELECT c.organization_id, w.id, w.survey, c.id, c.identity_id, c.contact_id, c.channel, c.agent_id, 'waiting'
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) AS w (org, id, survey, conversation)
JOIN conversation_agents c ON c.organization_id = w.org AND c.id = w.conversation
ON CONFLICT DO NOTHING RETURNING id"""
INSERT_SEND: Final = """
INSERT INTO survey_sends (organization_id, id, survey_id, conversation_id, identity_id, contact_id, channel, agent_id,
                          state)
SELECT c.organization_id, $2, $3, c.id, c.identity_id, c.contact_id, c.channel, c.agent_id, 'requested'
FROM conversation_agents c WHERE c.organization_id = $1 AND c.id = $4
ON CONFLICT DO NOTHING RETURNING id"""
READ_SEND: Final = f"""
SELECT {_SEND}, t.message, t.trigger FROM survey_sends s {_JOIN}
WHERE s.organization_id = $1 AND s.id = $2"""  # noqa: S608
LIST_SENDS: Final = f"SELECT {_SEND}, s.reason, s.created_at FROM survey_sends s {_JOIN}"  # noqa: S608
SET_STATE: Final = """
UPDATE survey_sends SET state = $3, reason = $4 WHERE organization_id = $1 AND id = $2"""

MARK_SENT: Final = f"""
UPDATE survey_sends s SET sequence = s.sequence + 1, state = 'sent', sent_at = done.at,
                          expires_at = done.at + make_interval(days => t.expires_days)
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS done (org, id, at), surveys t
WHERE s.organization_id = done.org AND s.id = done.id AND s.state = 'requested'
  AND t.organization_id = s.organization_id AND t.id = s.survey_id
RETURNING {_SEND}"""  # noqa: S608
MARK_FAILED: Final = """
UPDATE survey_sends s SET state = 'failed', reason = done.reason
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS done (org, id, reason)
WHERE s.organization_id = done.org AND s.id = done.id AND s.state = 'requested'"""
ANSWER: Final = f"""
UPDATE survey_sends s SET sequence = s.sequence + 1, state = 'answered', score = $3, comment = $4,
                          answered_at = coalesce(s.answered_at, now())
FROM surveys t
WHERE s.organization_id = $1 AND s.id = $2 AND t.organization_id = s.organization_id AND t.id = s.survey_id
RETURNING {_SEND}"""  # noqa: S608
ADD: Final = """
INSERT INTO survey_days (organization_id, survey_id, kind, day, channel, agent_id, score, count)
SELECT org, survey, kind, (at AT TIME ZONE 'UTC')::date, channel, agent, score, sum(count)
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::uuid[], $7::smallint[], $8::bigint[])
     AS t (org, survey, kind, at, channel, agent, score, count)
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
ON CONFLICT (organization_id, survey_id, kind, day, channel, agent_id, score) DO UPDATE
SET count = survey_days.count + excluded.count"""
NOW: Final = "SELECT now()"


class Known(NamedTuple):
    """A state of a conversation."""

    org: UUID
    id: UUID
    sequence: int
    channel: str
    identity_id: UUID
    contact_id: UUID | None
    agent_id: UUID | None
    state: str


async def add(tx: Transaction, org: UUID, survey_id: UUID, fields: Sequence[Any]) -> Row:
    """Save a template; `fields` in the order of the table."""
    row = await tx.fetchrow(INSERT, org, survey_id, *fields)
    assert row is not None
    return row


async def save(tx: Transaction, org: UUID, survey_id: UUID, fields: Sequence[Any]) -> Row:
    """Save it changed."""
    row = await tx.fetchrow(UPDATE, org, survey_id, *fields)
    assert row is not None
    return row


async def read(tx: Transaction, org: UUID, survey_id: UUID, *, lock: bool = False) -> Row | None:
    """One; held until the commit with `lock`."""
    return await tx.fetchrow(READ + " FOR UPDATE" * lock, org, survey_id)


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """All in this order (few enough for any), those after the one with the key `after`."""
    return await order.read(tx, LIST, Where(org), after, limit)


async def count(tx: Transaction, org: UUID) -> int:
    """How many there are."""
    return int(await tx.fetchval(COUNT, org))


async def know(tx: Transaction, states: Iterable[Known]) -> None:
    """Keep the newest of these states of each conversation; who led it last is not forgotten."""
    newest: dict[tuple[UUID, UUID], Known] = {}
    for state in states:
        there = newest.get((state.org, state.id))
        if there is None or there.sequence < state.sequence:
            newest[state.org, state.id] = state
    if newest:
        rows = [newest[key] for key in sorted(newest)]
        await tx.execute(KNOW, *(list(column) for column in zip(*rows, strict=True)))


async def conversation(tx: Transaction, org: UUID, conversation_id: UUID) -> Row | None:
    """What is known of a conversation."""
    return await tx.fetchrow(CONVERSATION, org, conversation_id)


async def trigger(tx: Transaction, ended: Sequence[tuple[UUID, UUID, datetime]]) -> list[Row]:
    """Whom the end of these (organization, conversation, time) asks: id, conversation and delay of each."""
    orgs, ids, times = (list(column) for column in zip(*ended, strict=True))
    found = {tx.app.new_id(): row for row in await tx.fetch(CANDIDATES, orgs, ids, times)}
    if not found:
        return []
    columns = ("organization_id", "survey_id", "conversation_id")
    org, survey, conversation = ([row[name] for row in found.values()] for name in columns)
    # One who is being asked by hand at this moment is not asked twice.
    waiting = await tx.fetch(INSERT_WAITING, org, list(found), survey, conversation)
    return [{**found[row["id"]], "id": row["id"]} for row in waiting]


async def ask_now(tx: Transaction, org: UUID, send_id: UUID, survey_id: UUID, conversation_id: UUID) -> bool:
    """Ask whoever a conversation is with; False where they are being asked already."""
    found = await tx.fetchval(INSERT_SEND, org, send_id, survey_id, conversation_id)
    return found is not None


async def read_send(tx: Transaction, org: UUID, send_id: UUID, *, lock: bool = False) -> Row | None:
    """One with its survey's words; held until the commit with `lock`."""
    return await tx.fetchrow(READ_SEND + " FOR UPDATE OF s" * lock, org, send_id)


async def list_sends(
    tx: Transaction, org: UUID, survey_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """A survey's, in this order of `s`, after the one with the key `after`."""
    where = Where(org, table="s").equal({"survey_id": survey_id})
    return await order.read(tx, LIST_SENDS, where, after, limit)


async def set_state(tx: Transaction, org: UUID, send_id: UUID, state: str, reason: str | None = None) -> None:
    """It goes on, or does not."""
    await tx.execute(SET_STATE, org, send_id, state, reason)


async def mark_sent(tx: Transaction, done: Sequence[tuple[UUID, UUID, datetime]]) -> list[Send]:
    """Which of these (organization, message, time) asked somebody."""
    orgs, ids, times = (list(column) for column in zip(*done, strict=True))
    sent = [send_of(row) for row in await tx.fetch(MARK_SENT, orgs, ids, times)]
    await count_up(tx, [(send, SENT, 1) for send in sent])
    return sent


async def mark_failed(tx: Transaction, failed: Sequence[tuple[UUID, UUID, str]]) -> None:
    """These (organization, message, reason) asked nobody."""
    orgs, ids, reasons = (list(column) for column in zip(*failed, strict=True))
    await tx.execute(MARK_FAILED, orgs, ids, reasons)


async def answer(tx: Transaction, org: UUID, send_id: UUID, score: int | None, comment: str | None) -> Send:
    """Keep what they said."""
    row = await tx.fetchrow(ANSWER, org, send_id, score, comment)
    assert row is not None
    return send_of(row)


async def count_up(tx: Transaction, changes: Sequence[tuple[Send, int, int]]) -> None:
    """Add to the sums: (send, score, how many)."""
    if not changes:
        return
    rows = [
        (
            send.organization_id,
            send.survey_id,
            send.kind,
            send.sent_at,
            send.channel,
            send.agent_id or NONE,
            score,
            number,
        )
        for send, score, number in changes
    ]
    await tx.execute(ADD, *(list(column) for column in zip(*rows, strict=True)))


async def now(tx: Transaction) -> datetime:
    """The database's clock."""
    found: datetime = await tx.fetchval(NOW)
    return found


def send_of(row: Mapping[str, Any]) -> Send:
    """The domain's."""
    return Send(**{name: row[name] for name in Send.__dataclass_fields__})

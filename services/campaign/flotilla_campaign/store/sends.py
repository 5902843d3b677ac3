"""Messages that steps asked for, and what became of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

COLUMNS: Final = """organization_id, id, sequence, enrolment_id, sequence_id, version, step, variant, campaign_id,
contact_id, links, asked_at, sent_at"""

INSERT: Final = """
INSERT INTO sends (organization_id, id, enrolment_id, sequence_id, version, step, variant, campaign_id, contact_id,
                   links)
SELECT * FROM jsonb_to_recordset($1) AS t (organization_id uuid, id uuid, enrolment_id uuid, sequence_id uuid,
                                           version integer, step integer, variant text, campaign_id uuid,
                                           contact_id uuid, links text[])
ON CONFLICT DO NOTHING"""
READ: Final = f"SELECT {COLUMNS} FROM sends WHERE organization_id = $1 AND id = $2"  # noqa: S608
OF: Final = f"""
SELECT {COLUMNS} FROM sends JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, message)
  ON organization_id = t.org AND id = t.message"""  # noqa: S608
# The first moment of each kind stays: facts are delivered again, and late.
REACH: Final = """
WITH told AS (
    SELECT org, message, min(at) FILTER (WHERE fact = 'sent') AS sent,
           min(at) FILTER (WHERE fact = 'delivered') AS delivered, min(at) FILTER (WHERE fact = 'failed') AS failed
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) AS t (org, message, fact, at)
    GROUP BY org, message
), held AS (
    SELECT s.organization_id, s.id FROM told JOIN sends s ON s.organization_id = told.org AND s.id = told.message
    ORDER BY s.organization_id, s.id FOR UPDATE OF s
)
UPDATE sends SET sent_at = coalesce(sent_at, told.sent), delivered_at = coalesce(delivered_at, told.delivered),
                 failed_at = coalesce(failed_at, told.failed)
FROM held JOIN told ON told.org = held.organization_id AND told.message = held.id
WHERE sends.organization_id = held.organization_id AND sends.id = held.id"""
# The last message before the answer has it.
REPLIED: Final = """
WITH answered AS (
    SELECT t.org, last.id, min(t.at) AS at
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t (org, enrolment_id, at)
    CROSS JOIN LATERAL (
        SELECT s.id FROM sends s
        WHERE s.organization_id = t.org AND s.enrolment_id = t.enrolment_id AND s.asked_at <= t.at
          AND s.failed_at IS NULL
        ORDER BY s.step DESC LIMIT 1) AS last
    GROUP BY t.org, last.id
)
UPDATE sends SET replied_at = coalesce(replied_at, answered.at) FROM answered
WHERE organization_id = answered.org AND sends.id = answered.id"""
UNSUBSCRIBED: Final = """
UPDATE sends SET unsubscribed_at = coalesce(unsubscribed_at, now()) WHERE organization_id = $1 AND id = $2"""
BOUNCED: Final = """
WITH held AS (
    SELECT s.organization_id, s.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, message)
    JOIN sends s ON s.organization_id = t.org AND s.id = t.message
    ORDER BY s.organization_id, s.id FOR UPDATE OF s
)
UPDATE sends s SET bounced_at = now(), sequence = sequence + 1 FROM held
WHERE s.organization_id = held.organization_id AND s.id = held.id AND s.bounced_at IS NULL
RETURNING s.organization_id, s.id, s.sequence"""
TOUCH: Final = """
INSERT INTO touches (organization_id, message_id, kind, link, automated) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (organization_id, message_id, kind, link, automated)
DO UPDATE SET times = touches.times + 1, last_at = now() RETURNING times"""
TOUCHED: Final = """
UPDATE sends SET sequence = sequence + 1,
    opened_at = CASE WHEN $3 = 'open' AND NOT $4 THEN coalesce(opened_at, now()) ELSE opened_at END,
    clicked_at = CASE WHEN $3 = 'click' AND NOT $4 THEN coalesce(clicked_at, now()) ELSE clicked_at END
WHERE organization_id = $1 AND id = $2 RETURNING sequence"""
NOTE: Final = """
UPDATE enrolments SET opened_at = CASE WHEN $3 = 'open' THEN coalesce(opened_at, now()) ELSE opened_at END,
                      clicked_at = CASE WHEN $3 = 'click' THEN coalesce(clicked_at, now()) ELSE clicked_at END
WHERE organization_id = $1 AND id = $2"""

INSERTED: Final = (
    "organization_id",
    "id",
    "enrolment_id",
    "sequence_id",
    "version",
    "step",
    "variant",
    "campaign_id",
    "contact_id",
    "links",
)
Key = tuple[UUID, UUID]
"""(organization, message)."""


@dataclass(frozen=True, slots=True)
class Send:
    """A message, as events tell of it."""

    organization_id: UUID
    id: UUID
    sequence: int
    enrolment_id: UUID
    sequence_id: UUID
    version: int
    step: int
    variant: str | None
    campaign_id: UUID | None
    contact_id: UUID
    links: Sequence[str]
    asked_at: datetime
    sent_at: datetime | None

    def what(self) -> dict[str, Any]:
        """As every event of it says."""
        names = ("enrolment_id", "sequence_id", "version", "step", "variant", "campaign_id", "contact_id")
        return {"message_id": self.id, **{name: getattr(self, name) for name in names}}


async def add(tx: Transaction, new: Sequence[Send]) -> None:
    """Write new ones."""
    await tx.execute(INSERT, [{name: getattr(send, name) for name in INSERTED} for send in new])


async def read(tx: Transaction, org: UUID, id_: UUID) -> Send | None:
    """One."""
    row = await tx.fetchrow(READ, org, id_)
    return None if row is None else _send(row)


async def of(tx: Transaction, keys: Iterable[Key]) -> dict[Key, Send]:
    """Those of these messages that steps asked for."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(OF, [org for org, _ in wanted], [id_ for _, id_ in wanted])
    return {(row["organization_id"], row["id"]): _send(row) for row in rows}


async def reach(tx: Transaction, facts: Sequence[tuple[UUID, UUID, str, datetime]]) -> None:
    """Messages were `sent`, `delivered` or `failed`: (organization, message, which, when)."""
    if facts:
        await tx.execute(REACH, *[list(column) for column in zip(*sorted(facts), strict=True)])


async def replied(tx: Transaction, replies: Sequence[tuple[UUID, UUID, datetime]]) -> None:
    """People answered the last of the messages that they had got by then: (organization, enrolment, when)."""
    await tx.execute(REPLIED, *[list(column) for column in zip(*replies, strict=True)])


async def unsubscribed(tx: Transaction, send: Send) -> None:
    """By the link in it."""
    await tx.execute(UNSUBSCRIBED, send.organization_id, send.id)


async def bounced(tx: Transaction, keys: Sequence[Key]) -> dict[Key, int]:
    """They reached nobody: the next sequence of each of which that was not said before."""
    rows = await tx.fetch(BOUNCED, [org for org, _ in keys], [id_ for _, id_ in keys])
    return {(row["organization_id"], row["id"]): row["sequence"] for row in rows}


async def touch(tx: Transaction, send: Send, kind: str, link: int, *, automated: bool) -> int | None:
    """It was opened, or a link in it was followed: the next sequence; none where that was only one time more.

    The caller holds the enrolment: it before its messages, as everywhere.
    """
    key = (send.organization_id, send.id)
    if await tx.fetchval(TOUCH, *key, kind, link, automated) > 1:
        return None
    sequence: int = await tx.fetchval(TOUCHED, *key, kind, automated)
    if not automated:
        await tx.execute(NOTE, send.organization_id, send.enrolment_id, kind)
    return sequence


def _send(row: Row) -> Send:
    return Send(**{name: row[name] for name in Send.__slots__})

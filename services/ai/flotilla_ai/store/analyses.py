"""What was found in customers' messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.messaging import MessageReceived
from flotilla.store.postgres import Row, Transaction

from flotilla_ai.domain.analysis import Analysis

INSERT_ANALYSES: Final = """
INSERT INTO analyses (organization_id, id, conversation_id, position, identity_id, contact_id, language,
                      language_confidence, intent, intent_confidence, agent, agent_confidence, pii, injected,
                      masked_text, account_id)
SELECT * FROM jsonb_to_recordset($1) AS t (
    organization_id uuid, id uuid, conversation_id uuid, position bigint, identity_id uuid, contact_id uuid,
    language text, language_confidence real, intent text, intent_confidence real, agent text,
    agent_confidence real, pii jsonb, injected boolean, masked_text text, account_id uuid)
ON CONFLICT (organization_id, id) DO NOTHING
RETURNING organization_id, id"""

LAST_OF: Final = """
SELECT t.org, t.id AS conversation_id, a.position, a.agent
FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
CROSS JOIN LATERAL (SELECT position, agent FROM analyses
                    WHERE organization_id = t.org AND conversation_id = t.id
                    ORDER BY position DESC LIMIT 1) a"""

READ: Final = "SELECT * FROM analyses WHERE organization_id = $1 AND id = $2"

LATEST: Final = """
SELECT a.* FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
CROSS JOIN LATERAL (SELECT * FROM analyses WHERE organization_id = t.org AND conversation_id = t.id
                    ORDER BY position DESC LIMIT 1) a"""

# The newest of a long conversation, in their order.
TURNS: Final = """
SELECT * FROM (
    SELECT a.position, a.language, a.intent, a.identity_id, a.contact_id, a.masked_text AS asked,
           d.sent_text AS answered
    FROM analyses a
    LEFT JOIN LATERAL (SELECT sent_text FROM drafts WHERE organization_id = a.organization_id AND message_id = a.id
                       AND state = 'approved' ORDER BY id DESC LIMIT 1) d ON true
    WHERE a.organization_id = $1 AND a.conversation_id = $2 AND a.masked_text IS NOT NULL
    ORDER BY a.position DESC LIMIT $3) AS newest
ORDER BY position"""

SAID_BEFORE: Final = """
SELECT a.masked_text AS asked, d.sent_text AS answered
FROM analyses a
LEFT JOIN LATERAL (SELECT sent_text FROM drafts WHERE organization_id = a.organization_id AND message_id = a.id
                   AND state = 'approved' ORDER BY id DESC LIMIT 1) d ON true
WHERE a.organization_id = $1 AND a.conversation_id = $2 AND a.position < $3 AND a.masked_text IS NOT NULL
ORDER BY a.position DESC LIMIT $4"""


@dataclass(frozen=True, slots=True)
class Last:
    """The newest analysed message of a conversation."""

    position: int
    agent: str


async def insert(
    tx: Transaction, found: Sequence[tuple[Received[MessageReceived], Analysis]]
) -> set[tuple[UUID, UUID]]:
    """Keep analyses; those that were not there yet, as (organization, message)."""
    rows = [_row(event, analysis) for event, analysis in found]
    return {(row["organization_id"], row["id"]) for row in await tx.fetch(INSERT_ANALYSES, rows)}


async def last_of(
    tx: Transaction, conversations: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], Last]:
    """Of (organization, conversation) pairs."""
    rows = await tx.fetch(LAST_OF, [org for org, _ in conversations], [id_ for _, id_ in conversations])
    return {(row["org"], row["conversation_id"]): Last(row["position"], row["agent"]) for row in rows}


async def latest(tx: Transaction, conversations: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Row]:
    """The newest analysis of each (organization, conversation) that has any."""
    keys = sorted(set(conversations))
    rows = await tx.fetch(LATEST, [org for org, _ in keys], [id_ for _, id_ in keys])
    return {(row["organization_id"], row["conversation_id"]): row for row in rows}


async def turns(tx: Transaction, org: UUID, conversation_id: UUID, limit: int) -> list[Row]:
    """What a customer said, masked, and what was answered, of the newest `limit` messages; oldest first."""
    return await tx.fetch(TURNS, org, conversation_id, limit)


async def read(tx: Transaction, org: UUID, message_id: UUID) -> Row | None:
    """The analysis of a message."""
    return await tx.fetchrow(READ, org, message_id)


async def said_before(
    tx: Transaction, org: UUID, conversation_id: UUID, position: int, limit: int
) -> list[tuple[str, str | None]]:
    """What the customer asked before this position, masked, and what was answered; oldest first."""
    rows = await tx.fetch(SAID_BEFORE, org, conversation_id, position, limit)
    return [(row["asked"], row["answered"]) for row in reversed(rows)]


def _row(event: Received[MessageReceived], analysis: Analysis) -> dict[str, Any]:
    message = event.data
    return {
        "organization_id": event.org,
        "id": message.message_id,
        "conversation_id": message.conversation_id,
        "position": message.position,
        "identity_id": message.identity_id,
        "contact_id": message.contact_id,
        "language": analysis.language.code,
        "language_confidence": analysis.language.confidence,
        "intent": analysis.intent,
        "intent_confidence": analysis.intents.confidence,
        "agent": analysis.agent,
        "agent_confidence": analysis.agent_confidence,
        "pii": analysis.masked.counts,
        "injected": analysis.injected,
        "masked_text": analysis.masked.text,
        "account_id": message.account_id,
    }

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
                      masked_text)
SELECT * FROM jsonb_to_recordset($1) AS t (
    organization_id uuid, id uuid, conversation_id uuid, position bigint, identity_id uuid, contact_id uuid,
    language text, language_confidence real, intent text, intent_confidence real, agent text,
    agent_confidence real, pii jsonb, injected boolean, masked_text text)
ON CONFLICT (organization_id, id) DO NOTHING
RETURNING organization_id, id"""

LAST_OF: Final = """
SELECT t.org, t.id AS conversation_id, a.position, a.agent
FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
CROSS JOIN LATERAL (SELECT position, agent FROM analyses
                    WHERE organization_id = t.org AND conversation_id = t.id
                    ORDER BY position DESC LIMIT 1) a"""

READ: Final = "SELECT * FROM analyses WHERE organization_id = $1 AND id = $2"

SAID_BEFORE: Final = """
SELECT a.masked_text AS asked, d.sent_text AS answered
FROM analyses a
LEFT JOIN drafts d ON d.organization_id = a.organization_id AND d.message_id = a.id AND d.state = 'approved'
WHERE a.organization_id = $1 AND a.conversation_id = $2 AND a.position < $3 AND a.masked_text IS NOT NULL
ORDER BY a.position DESC LIMIT $4"""


@dataclass(frozen=True, slots=True)
class Last:
    """The newest analysed message of a conversation."""

    position: int
    agent: str


async def insert(
    tx: Transaction, found: Sequence[tuple[Received[MessageReceived], Analysis]], remember: set[UUID]
) -> set[tuple[UUID, UUID]]:
    """Keep analyses, of organizations in `remember` the masked text too; those that were not there yet.

    As (organization, message).
    """
    rows = [_row(event, analysis, event.org in remember) for event, analysis in found]
    return {(row["organization_id"], row["id"]) for row in await tx.fetch(INSERT_ANALYSES, rows)}


async def last_of(
    tx: Transaction, conversations: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], Last]:
    """Of (organization, conversation) pairs."""
    rows = await tx.fetch(LAST_OF, [org for org, _ in conversations], [id_ for _, id_ in conversations])
    return {(row["org"], row["conversation_id"]): Last(row["position"], row["agent"]) for row in rows}


async def read(tx: Transaction, org: UUID, message_id: UUID) -> Row | None:
    """The analysis of a message."""
    return await tx.fetchrow(READ, org, message_id)


async def said_before(
    tx: Transaction, org: UUID, conversation_id: UUID, position: int, limit: int
) -> list[tuple[str, str | None]]:
    """What the customer asked before this position, masked, and what was answered; oldest first."""
    rows = await tx.fetch(SAID_BEFORE, org, conversation_id, position, limit)
    return [(row["asked"], row["answered"]) for row in reversed(rows)]


def _row(event: Received[MessageReceived], analysis: Analysis, remember: bool) -> dict[str, Any]:
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
        "masked_text": analysis.masked.text if remember else None,
    }

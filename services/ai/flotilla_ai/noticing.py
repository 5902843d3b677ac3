"""Insights: what messages show, told once of a conversation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from flotilla.bus.envelope import Received
from flotilla.events.ai import Evidence, Insight, InsightFound
from flotilla.events.messaging import MessageReceived
from flotilla.store.postgres import Row, Transaction

from flotilla_ai.domain.analysis import Analysis
from flotilla_ai.domain.insights import Noticed, noticed_in
from flotilla_ai.domain.qualification import Finding
from flotilla_ai.events import AUDIENCE
from flotilla_ai.store import insights as store

Message = Received[MessageReceived]
I = TypeVar("I", bound=Insight)  # noqa: E741 - of insight
Key = tuple[UUID, UUID, str, str]


async def notice(tx: Transaction, batch: Sequence[tuple[Message, Analysis, list[Finding]]]) -> None:
    """Write down and tell what a batch's messages show; most show nothing, and cost nothing here."""
    rows: dict[Key, dict[str, Any]] = {}
    events: dict[Key, Message] = {}
    for event, analysis, heard in sorted(batch, key=lambda each: each[0].data.position):
        for each in noticed_in(event.data.text or "", analysis, heard):
            key = (event.org, event.data.conversation_id, each.kind, each.topic)
            if key not in rows:
                rows[key], events[key] = _row(tx, event, each), event
    if not rows:
        return
    for row in await store.add(tx, list(rows.values())):
        event = events[row["organization_id"], row["conversation_id"], row["kind"], row["topic"]]
        cause = replace(event.cause, actor="ai:sales")
        found = insight_event(InsightFound, row)
        tx.emit(found, org=event.org, sequence=row["sequence"], cause=cause, audience=AUDIENCE)


def insight_event(kind: type[I], row: Row, **more: Any) -> I:
    """An insight's state."""
    return kind(
        insight_id=row["id"],
        conversation_id=row["conversation_id"],
        identity_id=row["identity_id"],
        contact_id=row["contact_id"],
        kind=row["kind"],
        topic=row["topic"],
        confidence=round(row["confidence"], 4),
        evidence=msgspec.convert(row["evidence"], list[Evidence], strict=False),
        state=row["state"],
        **more,
    )


def _row(tx: Transaction, event: Message, noticed: Noticed) -> dict[str, Any]:
    message = event.data
    return {
        "organization_id": event.org,
        "id": tx.app.new_id(),
        "conversation_id": message.conversation_id,
        "message_id": message.message_id,
        "identity_id": message.identity_id,
        "contact_id": message.contact_id,
        "kind": noticed.kind,
        "topic": noticed.topic,
        "confidence": noticed.confidence,
        "evidence": [
            {"message_id": str(message.message_id), "start": start, "end": end}
            for start, end in noticed.spans
        ],
    }

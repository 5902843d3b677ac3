"""Rows as the events that tell of them."""

from dataclasses import replace
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from flotilla.cause import Cause
from flotilla.events.ai import Citation, Draft, DraftFailed, DraftGenerated, Verdict
from flotilla.store.postgres import Row, Transaction

from flotilla_ai.domain.drafts import Failure, State
from flotilla_ai.metrics import DRAFTS

AUDIENCE: Final = "org"
D = TypeVar("D", bound=Draft)


def draft_event(kind: type[D], row: Row, **more: Any) -> D:
    """The state of a draft; a text only where it was offered to a person."""
    offered = row["state"] in (State.GENERATED, State.APPROVED)
    return kind(
        draft_id=row["id"],
        message_id=row["message_id"],
        conversation_id=row["conversation_id"],
        account_id=row["account_id"],
        identity_id=row["identity_id"],
        contact_id=row["contact_id"],
        agent=row["agent"],
        provider=row["provider"],
        text=(row["sent_text"] or row["text"]) if offered else None,
        confidence=round(row["confidence"], 4),
        citations=msgspec.convert(row["citations"], list[Citation]),
        verdict=msgspec.convert(row["verdict"], Verdict),
        state=row["state"],
        reason=row["reason"],
        generated_at=row["generated_at"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        **more,
    )


def tell(tx: Transaction, row: Row, cause: Cause, *, event_id: UUID | None = None) -> None:
    """Say that a draft was generated, or that there is none."""
    kind = DraftGenerated if row["state"] == State.GENERATED else DraftFailed
    if row["request_id"] is not None and _answers(row):
        cause = replace(cause, request_id=row["request_id"])
    tx.emit(
        draft_event(kind, row),
        org=row["organization_id"],
        sequence=row["sequence"],
        cause=cause,
        audience=AUDIENCE,
        event_id=event_id,
    )
    tx.after_commit(DRAFTS.labels(row["provider"], row["state"], row["reason"] or "").inc)


def _answers(row: Row) -> bool:
    """Whether this is the answer to the wish for it; what ends after it was offered was answered then."""
    ended_later = row["reason"] in (Failure.SUPERSEDED, Failure.UNDECIDED) and row["text"] is not None
    return not (row["state"] == State.FAILED and ended_later)


class Origin(msgspec.Struct, frozen=True):
    """What a draft goes back to, kept with it: the journey that a person's decision goes on with."""

    correlation_id: UUID
    event_id: UUID
    """The event that told of the draft."""
    traceparent: str | None = None

    @classmethod
    def of(cls, row: Row) -> "Origin":
        """A draft's."""
        return msgspec.convert(row["cause"], cls)

    def leads_to(self, actor: str) -> Cause:
        """The cause of what somebody does with the draft."""
        return Cause(
            correlation_id=self.correlation_id,
            causation_id=self.event_id,
            actor=actor,
            traceparent=self.traceparent,
        )

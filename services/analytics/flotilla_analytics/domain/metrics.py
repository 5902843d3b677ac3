"""Metrics as a fold over events: what each event adds to which number.

The result depends on the set of events alone, not on their order: a conversation's contribution follows from
what is known of it, and when more becomes known the old contribution is taken back and the new one added.
Durations are whole milliseconds; days are UTC.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from flotilla.events import ai, messaging
from flotilla.events.base import Event, contract_of

from flotilla_analytics.domain.facts import Fact
from flotilla_analytics.domain.histogram import COUNT, bucket_of


class Metric(StrEnum):
    """What is measured."""

    MESSAGE_VOLUME = "message_volume"
    """Messages received from and sent to customers."""
    FIRST_RESPONSE_TIME = "first_response_time"
    """From a conversation's first question to the first answer that reached the channel."""
    RESPONSE_TIME = "response_time"
    """From the oldest unanswered message to each answer that reached the channel."""
    RESOLUTION_TIME = "resolution_time"
    """From opening to the latest resolution of conversations that are resolved."""
    DRAFT_DECISIONS = "draft_decisions"
    """Drafts generated, and what people decided on them."""


class Cell(NamedTuple):
    """One number of one organization."""

    org: UUID
    metric: str
    day: date
    channel: str
    agent: str
    part: str
    """`inbound` or `outbound`; `generated`, `approved`, `edited`, `rejected` or `failed`."""
    bucket: int


class Reply(NamedTuple):
    """An answer to a customer; the earliest is the first response."""

    at: datetime
    message_id: UUID
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the fold remembers of a conversation."""

    channel: str
    first_reply: Reply | None = None
    sequence: int = 0
    """Of the newest state known; 0 before any."""
    opened_at: datetime | None = None
    resolved_at: datetime | None = None


ConversationKey = tuple[UUID, UUID]
"""Organization and conversation."""


@dataclass
class Fold:
    """The sums of a stretch of events, and the conversations as they are after it."""

    conversations: dict[ConversationKey, Conversation]
    deltas: dict[Cell, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """Cell → [count, milliseconds] to be added."""

    def take(self, facts: Iterable[Fact]) -> None:
        """Fold these events in."""
        for fact in facts:
            _EFFECTS[type(fact.data)](self, fact)

    def count(self, cell: Cell, count: int = 1, milliseconds: int = 0) -> None:
        """Add to one number."""
        delta = self.deltas[cell]
        delta[0] += count
        delta[1] += milliseconds

    def measure(
        self, org: UUID, metric: Metric, channel: str, start: datetime, end: datetime, count: int = 1
    ) -> None:
        """Add a duration, or with a count of -1 take it back; clocks that disagree make it 0, not negative."""
        duration = max(0, (end - start) // timedelta(milliseconds=1))
        cell = Cell(org, metric, _day(end), channel, "", "", bucket_of(duration))
        self.count(cell, count, count * duration)

    def change(self, key: ConversationKey, changed: Conversation) -> None:
        """What a conversation contributes follows what is known of it."""
        known = self.conversations.get(key)
        if known is not None:
            self._contribute(key[0], known, -1)
        self._contribute(key[0], changed, 1)
        self.conversations[key] = changed

    def _contribute(self, org: UUID, known: Conversation, count: int) -> None:
        if (reply := known.first_reply) is not None:
            self.measure(org, Metric.FIRST_RESPONSE_TIME, known.channel, reply.asked_at, reply.at, count)
        if known.resolved_at and known.opened_at:
            self.measure(
                org, Metric.RESOLUTION_TIME, known.channel, known.opened_at, known.resolved_at, count
            )


def conversations_of(facts: Iterable[Fact]) -> set[ConversationKey]:
    """The conversations that a fold of these events must know."""
    return {
        (fact.org, fact.data.conversation_id)
        for fact in facts
        if isinstance(fact.data, messaging.MessageSent | messaging.Conversation)
    }


def _message_received(fold: Fold, fact: Fact) -> None:
    data: messaging.MessageReceived = fact.data
    fold.count(Cell(fact.org, Metric.MESSAGE_VOLUME, _day(data.sent_at), data.channel, "", "inbound", COUNT))


def _message_sent(fold: Fold, fact: Fact) -> None:
    data: messaging.MessageSent = fact.data
    day = _day(data.occurred_at)
    fold.count(Cell(fact.org, Metric.MESSAGE_VOLUME, day, data.channel, "", "outbound", COUNT))
    if data.responds_to_at is None:
        return
    fold.measure(fact.org, Metric.RESPONSE_TIME, data.channel, data.responds_to_at, data.occurred_at)
    key = (fact.org, data.conversation_id)
    known = fold.conversations.get(key) or Conversation(data.channel)
    reply = Reply(data.occurred_at, data.message_id, data.responds_to_at)
    if known.first_reply is None or reply < known.first_reply:
        fold.change(key, replace(known, first_reply=reply))


def _conversation_state(fold: Fold, fact: Fact) -> None:
    data: messaging.Conversation = fact.data
    key = (fact.org, data.conversation_id)
    known = fold.conversations.get(key) or Conversation(data.channel)
    if known.sequence < fact.sequence:
        resolved_at = data.resolved_at if data.state == "resolved" else None
        newest = replace(known, sequence=fact.sequence, opened_at=data.opened_at, resolved_at=resolved_at)
        fold.change(key, newest)


def _draft(fold: Fold, fact: Fact) -> None:
    data: ai.Draft = fact.data
    day = _day(data.decided_at or data.generated_at)
    fold.count(Cell(fact.org, Metric.DRAFT_DECISIONS, day, "", data.agent, _outcome(data), COUNT))


def _outcome(draft: ai.Draft) -> str:
    match draft:
        case ai.DraftApproved(edited=edited):
            return "edited" if edited else "approved"
        case ai.DraftRejected():
            return "rejected"
        case ai.DraftFailed():
            return "failed"
        case _:
            return "generated"


def _day(time: datetime) -> date:
    return time.astimezone(UTC).date()


_EFFECTS: Final[dict[type[Event], Callable[[Fold, Fact], None]]] = {
    messaging.MessageReceived: _message_received,
    messaging.MessageSent: _message_sent,
    messaging.ConversationOpened: _conversation_state,
    messaging.ConversationAssigned: _conversation_state,
    messaging.ConversationSnoozed: _conversation_state,
    messaging.ConversationResolved: _conversation_state,
    messaging.ConversationReopened: _conversation_state,
    ai.DraftGenerated: _draft,
    ai.DraftApproved: _draft,
    ai.DraftRejected: _draft,
    ai.DraftFailed: _draft,
}

TYPES: Final = tuple(contract_of(data).type for data in _EFFECTS)
"""The events that metrics are made of."""

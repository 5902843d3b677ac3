"""Events of ai: analyses, drafts, verdicts, knowledge."""

from functools import partial
from uuid import UUID

import msgspec

from flotilla.events.base import Event, Moment, Money, Personal, event

_event = partial(event, owner="ai")


@_event("message.analyzed.v1", subject="message_id", person=("contact_id", "identity_id"))
class MessageAnalyzed(Event, frozen=True, kw_only=True):
    """What a customer's message is in and about. Holds no text."""

    message_id: UUID
    conversation_id: UUID
    identity_id: UUID
    contact_id: UUID | None
    language: str
    language_confidence: float
    intent: str
    intent_confidence: float
    agent: str
    """Which agent takes it: `sales`, `support`, `billing`, `operations`."""
    pii: dict[str, int]
    """How many of each kind were masked: `{"card": 1}`."""


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the knowledge base that a draft stands on."""

    chunk_id: UUID
    source_id: UUID
    title: str
    quote: str
    score: float


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor thinks of a draft."""

    allowed: bool
    reasons: list[str]


class Draft(Event, frozen=True, kw_only=True):
    """The state of a draft."""

    draft_id: UUID
    message_id: UUID
    conversation_id: UUID
    account_id: UUID
    identity_id: UUID
    contact_id: UUID | None
    agent: str
    provider: str
    text: Personal
    confidence: float
    citations: list[Citation]
    verdict: Verdict
    state: str
    """`generated`, `approved`, `rejected` or `failed`."""
    reason: str | None
    generated_at: Moment
    decided_at: Moment | None
    decided_by: str | None


@_event("ai.draft.requested.v1", subject="request_id", person=("request_id",), wish=True)
class DraftRequested(Event, frozen=True, kw_only=True):
    """A reply shall be proposed. Answered by `ai.draft.generated` or `ai.draft.failed`, which carry the request."""

    request_id: UUID
    conversation_id: UUID
    instruction: Personal
    """What it shall say, in the words of whoever asks; null: whatever the conversation needs."""


@_event("ai.draft.generated.v1", subject="draft_id", person=("contact_id", "identity_id"))
class DraftGenerated(Draft, frozen=True, kw_only=True):
    """A reply is proposed; a person decides."""


@_event("ai.draft.approved.v1", subject="draft_id", person=("contact_id", "identity_id"))
class DraftApproved(Draft, frozen=True, kw_only=True):
    """A person approved it, as it was or edited: `text` is what shall be sent."""

    edited: bool


@_event("ai.draft.rejected.v1", subject="draft_id", person=("contact_id", "identity_id"))
class DraftRejected(Draft, frozen=True, kw_only=True):
    """A person rejected it; the reason says why."""


@_event("ai.draft.failed.v1", subject="draft_id", person=("contact_id", "identity_id"))
class DraftFailed(Draft, frozen=True, kw_only=True):
    """No draft came before its deadline, or the supervisor refused it: a person is asked to answer."""


@_event("knowledge.indexed.v1", subject="source_id")
class KnowledgeIndexed(Event, frozen=True, kw_only=True):
    """A source of the knowledge base can be searched and cited."""

    source_id: UUID
    title: str
    chunks: int
    language: str
    state: str
    """`indexed` or `removed`."""


@_event("ai.usage.recorded.v1", subject="usage_id")
class UsageRecorded(Event, frozen=True, kw_only=True):
    """What an organization used of one provider since the last record, summed over about ten seconds."""

    usage_id: UUID
    provider: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    started_at: Moment
    ended_at: Moment


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a customer's message something was said; the words themselves stay in the message."""

    message_id: UUID
    start: int
    """Characters from the message's beginning."""
    end: int


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """What a conversation says about one question of BANT."""

    question: str
    """`budget`, `authority`, `need` or `timeline`."""
    score: float
    """From 0, nothing speaks for it, to 100."""
    confidence: float
    """From 0 to 1."""
    evidence: list[Evidence]


@_event("lead.qualified.v1", subject="qualification_id", person=("contact_id", "identity_id"))
class LeadQualified(Event, frozen=True, kw_only=True):
    """A conversation shows that this person may well buy. Told once of a conversation."""

    qualification_id: UUID
    conversation_id: UUID
    identity_id: UUID
    contact_id: UUID | None
    """Null where the first message said it all; crm's `lead.created` names the contact."""
    score: float
    """Of all four together, from 0 to 100."""
    confidence: float
    signals: list[Signal]
    """One for each of the four questions."""
    budget: Money | None
    """What they said they can spend."""
    model: str
    """What judged, with its version."""
    qualified_at: Moment

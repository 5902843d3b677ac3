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
    message_id: UUID | None
    """The customer's message that it answers; null, as are the next three, where none is known."""
    conversation_id: UUID
    account_id: UUID | None
    identity_id: UUID | None
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


@_event("ai.draft.generated.v1", subject="draft_id", person=("contact_id", "identity_id", "draft_id"))
class DraftGenerated(Draft, frozen=True, kw_only=True):
    """A reply is proposed; a person decides."""


@_event("ai.draft.approved.v1", subject="draft_id", person=("contact_id", "identity_id", "draft_id"))
class DraftApproved(Draft, frozen=True, kw_only=True):
    """A person approved it, as it was or edited: `text` is what shall be sent."""

    edited: bool


@_event("ai.draft.rejected.v1", subject="draft_id", person=("contact_id", "identity_id", "draft_id"))
class DraftRejected(Draft, frozen=True, kw_only=True):
    """A person rejected it; the reason says why."""


@_event("ai.draft.failed.v1", subject="draft_id", person=("contact_id", "identity_id", "draft_id"))
class DraftFailed(Draft, frozen=True, kw_only=True):
    """No draft came before its deadline, or the supervisor refused it: a person is asked to answer."""


@_event("ai.draft.sent.v1", subject="draft_id", person=("contact_id", "identity_id", "draft_id"))
class DraftSent(Draft, frozen=True, kw_only=True):
    """The channel took the message that was made of it."""

    sent_message_id: UUID
    sent_at: Moment


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a draft's text."""

    start: int
    """Characters from its beginning."""
    end: int


@_event("policy.violated.v1", subject="violation_id")
class PolicyViolated(Event, frozen=True, kw_only=True):
    """The supervisor, or a policy of the organization, did not let a draft through as it was. Holds no text."""

    violation_id: UUID
    rule: str
    """A reason of the supervisor (`prompt_injection`, `personal_data`, `toxic`, `uncited_promise`, …) or `policy`."""
    policy_id: UUID | None
    """Of the organization's own; null: the supervisor's."""
    action: str
    """`refused`: there is no draft; `masked`: the draft lacks the words; `flagged`: the draft has them."""
    conversation_id: UUID
    message_id: UUID | None
    draft_id: UUID
    places: list[Place]
    """Where in the draft as it was made; none where the customer's message was the reason, or all of the draft."""


@_event("conversation.summarized.v1", subject="summary_id", person=("contact_id", "identity_id"))
class ConversationSummarized(Event, frozen=True, kw_only=True):
    """What a conversation was about, up to one message of the customer."""

    summary_id: UUID
    conversation_id: UUID
    identity_id: UUID
    contact_id: UUID | None
    position: int
    """Of the last message of the customer that it knows of."""
    text: Personal
    """With placeholders for personal data: `[PHONE_1]`."""
    language: str
    intents: list[str]
    """What the customer wanted, in the order of their messages."""
    messages: int
    """How many it was made of."""
    provider: str
    """`local`: sentences of the conversation, chosen; else who wrote it."""
    summarized_at: Moment


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


class Insight(Event, frozen=True, kw_only=True):
    """Something in a conversation that a person may act on. Holds no text."""

    insight_id: UUID
    conversation_id: UUID
    identity_id: UUID
    contact_id: UUID | None
    kind: str
    """`buying_signal` or `next_best_action`."""
    topic: str
    """Of a signal `budget`, `authority`, `need` or `timeline`; of an action `offer_demo`, `send_offer`, …"""
    confidence: float
    evidence: list[Evidence]
    state: str
    """`open`, `accepted` or `dismissed`."""


@_event("insight.found.v1", subject="insight_id")
class InsightFound(Insight, frozen=True, kw_only=True):
    """It was noticed; the same once of a conversation."""


@_event("insight.decided.v1", subject="insight_id")
class InsightDecided(Insight, frozen=True, kw_only=True):
    """A person will act on it, or thinks nothing of it."""

    decided_by: str

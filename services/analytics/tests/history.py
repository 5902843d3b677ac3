"""Histories of events for the tests of metrics, counted in the plainest way there is: the whole at once."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.bus.declare import RawEvent
from flotilla.events import ai, messaging
from flotilla.events.base import Event
from flotilla.ids import new_id
from flotilla_analytics.domain.histogram import bucket_of
from hypothesis import strategies as st

from services.analytics.tests.conftest import Events

START = datetime(2026, 1, 30, 23, 50, tzinfo=UTC)
CHANNELS = ("telegram", "generic", "email")
STATES: dict[str, tuple[type[messaging.Conversation], str]] = {
    "opened": (messaging.ConversationOpened, "open"),
    "assigned": (messaging.ConversationAssigned, "open"),
    "snoozed": (messaging.ConversationSnoozed, "snoozed"),
    "resolved": (messaging.ConversationResolved, "resolved"),
    "reopened": (messaging.ConversationReopened, "open"),
}
DRAFTS: dict[str, type[ai.Draft]] = {
    "generated": ai.DraftGenerated,
    "approved": ai.DraftApproved,
    "rejected": ai.DraftRejected,
    "failed": ai.DraftFailed,
}

_conversations = st.integers(0, len(CHANNELS) - 1)
_moments = st.integers(-50_000, 400_000_000).map(
    lambda milliseconds: START + timedelta(milliseconds=milliseconds)
)

happenings: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.tuples(st.just("received"), _conversations, _moments),
    st.tuples(st.just("sent"), _conversations, _moments, st.none() | _moments),
    st.tuples(st.just("state"), _conversations, st.sampled_from(sorted(STATES)), _moments),
    st.tuples(
        st.just("draft"),
        st.sampled_from(["sales", "support"]),
        st.sampled_from(sorted(DRAFTS)),
        _moments,
        st.booleans(),
    ),
)
"""What may happen in an organization with three conversations, one a channel."""


class History:
    """The events of one organization, and what its metrics must be."""

    def __init__(self, events: Events, org: UUID, told: list[tuple[Any, ...]]) -> None:
        self.raw: list[RawEvent] = []
        self.expected: Counter[tuple[str, date, str, str, str, int]] = Counter()
        self.sums: Counter[tuple[str, date, str]] = Counter()
        self._events = events
        self._org = org
        self._keys = [new_id() for _ in CHANNELS]
        self._sequences: Counter[int] = Counter()
        self._replies: dict[int, list[tuple[datetime, UUID, datetime]]] = {}
        self._resolved: dict[int, datetime | None] = {}
        for kind, *rest in told:
            getattr(self, f"_{kind}")(*rest)
        for subject, replies in self._replies.items():
            at, _, asked = min(replies)
            self._time("first_response_time", CHANNELS[subject], asked, at)
        for subject, resolved_at in self._resolved.items():
            if resolved_at is not None:
                self._time("resolution_time", CHANNELS[subject], START, resolved_at)

    def _received(self, subject: int, at: datetime) -> None:
        self._tell(self._events.received(**self._where(subject), sent_at=at))
        self._count("message_volume", at, CHANNELS[subject], part="inbound")

    def _sent(self, subject: int, at: datetime, asked: datetime | None) -> None:
        data = self._events.sent(**self._where(subject), occurred_at=at, responds_to_at=asked)
        self._tell(data)
        self._count("message_volume", at, CHANNELS[subject], part="outbound")
        if asked is not None:
            self._time("response_time", CHANNELS[subject], asked, at)
            self._replies.setdefault(subject, []).append((at, data.message_id, asked))

    def _state(self, subject: int, name: str, at: datetime) -> None:
        kind, state = STATES[name]
        resolved_at = at if state == "resolved" else None
        told = {"state": state, "opened_at": START, "resolved_at": resolved_at}
        self._sequences[subject] += 1
        self._tell(self._events.conversation(kind, **self._where(subject), **told), self._sequences[subject])
        self._resolved[subject] = resolved_at

    def _draft(self, agent: str, outcome: str, at: datetime, edited: bool) -> None:
        told: dict[str, Any] = {"edited": edited} if outcome == "approved" else {}
        decided_at = None if outcome == "generated" else at
        kind = DRAFTS[outcome]
        self._tell(self._events.draft(kind, agent=agent, generated_at=at, decided_at=decided_at, **told))
        part = "edited" if outcome == "approved" and edited else outcome
        self._count("draft_decisions", at, "", agent=agent, part=part)

    def _where(self, subject: int) -> dict[str, Any]:
        return {"conversation_id": self._keys[subject], "channel": CHANNELS[subject]}

    def _tell(self, data: Event, sequence: int = 1) -> None:
        self.raw.append(self._events.raw(data, self._org, sequence=sequence))

    def _count(self, metric: str, at: datetime, channel: str, agent: str = "", part: str = "") -> None:
        self.expected[metric, at.date(), channel, agent, part, -1] += 1

    def _time(self, metric: str, channel: str, start: datetime, end: datetime) -> None:
        milliseconds = max(0, round((end - start).total_seconds() * 1000))
        self.expected[metric, end.date(), channel, "", "", bucket_of(milliseconds)] += 1
        self.sums[metric, end.date(), channel] += milliseconds

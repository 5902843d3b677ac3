"""A conversation and what may become of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

LONGEST_SNOOZE: Final = timedelta(days=366)

TEXT_LIMITS: Final[Mapping[str, int]] = {"telegram": 4096}
"""Characters a channel takes in one message."""
DEFAULT_TEXT_LIMIT: Final = 8000


def text_limit(channel: str) -> int:
    """Characters a reply on this channel may have."""
    return TEXT_LIMITS.get(channel, DEFAULT_TEXT_LIMIT)


def text_length(channel: str, text: str) -> int:
    """As the channel counts: Telegram in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2 if channel == "telegram" else len(text)


class State(StrEnum):
    """Where a conversation stands."""

    OPEN = "open"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class SnoozeError(ValueError):
    """A snooze ends in the future, within a year."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One thread with one chat of one account, for ever."""

    organization_id: UUID
    id: UUID
    account_id: UUID
    channel: str
    chat: str
    identity_id: UUID
    contact_id: UUID | None
    """Who the identity is, as far as known; not kept with the conversation."""
    state: State
    assignee_id: UUID | None
    snoozed_until: datetime | None
    ai_enabled: bool
    opened_at: datetime
    resolved_at: datetime | None
    last_position: int
    last_message_id: UUID | None
    last_message_at: datetime
    unanswered_since: datetime | None
    """When the oldest message of the customer came that nobody has answered."""
    sends: int
    """How many sends were asked for."""
    sequence: int
    escalation_id: UUID | None = None
    """Which escalation of it waits for a person."""

    def reopened(self) -> Self:
        """Open again; the same where it is open."""
        if self.state is State.OPEN:
            return self
        return self._changed(state=State.OPEN, snoozed_until=None, resolved_at=None)

    def snoozed(self, until: datetime, now: datetime) -> Self:
        """Put aside; SnoozeError for a moment that has passed or is more than a year away."""
        if not now < until <= now + LONGEST_SNOOZE:
            raise SnoozeError("A snooze ends in the future, at most a year from now.")
        if self.snoozed_until == until:
            return self
        return self._changed(state=State.SNOOZED, snoozed_until=until, resolved_at=None)

    def resolved(self, now: datetime) -> Self:
        """Done; the same where it is."""
        if self.state is State.RESOLVED:
            return self
        return self._changed(state=State.RESOLVED, snoozed_until=None, resolved_at=now, escalation_id=None)

    def assigned(self, user_id: UUID | None) -> Self:
        """Somebody's, or nobody's."""
        return self if self.assignee_id == user_id else self._changed(assignee_id=user_id)

    def with_ai(self, enabled: bool) -> Self:
        """Whether the AI may propose replies."""
        return self if self.ai_enabled is enabled else self._changed(ai_enabled=enabled)

    def escalated(self, escalation_id: UUID, *, again: bool) -> Self:
        """It waits for a person; where it does already, changed only if it was asked for `again` in other words."""
        if self.escalation_id is None:
            return self._changed(escalation_id=escalation_id)
        return self._changed() if again else self

    def handed_back(self) -> Self:
        """Somebody took care of it; the same where nobody was asked for."""
        return self if self.escalation_id is None else self._changed(escalation_id=None)

    def unanswered_again(self, since: datetime) -> Self:
        """What was thought to be an answer didn't reach the customer."""
        oldest = min(since, self.unanswered_since) if self.unanswered_since else since
        return replace(self, unanswered_since=oldest)

    def _changed(self, **fields: Any) -> Self:
        return replace(self, sequence=self.sequence + 1, **fields)


PUBLIC_FIELDS: Final = ("state", "assignee_id", "snoozed_until", "resolved_at", "ai_enabled", "escalation_id")


def changes(old: Conversation, new: Conversation) -> dict[str, list[Any]]:
    """`{field: [old, new]}` of what others are told."""
    pairs = {field: [getattr(old, field), getattr(new, field)] for field in PUBLIC_FIELDS}
    return {field: pair for field, pair in pairs.items() if pair[0] != pair[1]}

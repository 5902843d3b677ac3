"""Conversations that need a person: why, how soon, and whom."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self
from uuid import UUID

PRIORITIES: Final = ("low", "normal", "high", "urgent")
"""From what can wait to what cannot."""
LONGEST_SUMMARY: Final = 2000


@dataclass(frozen=True, slots=True)
class Escalation:
    """One time that a conversation was given to people."""

    organization_id: UUID
    id: UUID
    conversation_id: UUID
    reason: str
    """A slug: `asked_for_person`, `complaint`, `manual`, …"""
    summary: str | None
    priority: str
    team_id: UUID | None
    escalated_by: str
    created_at: datetime

    def joined_by(self, other: Self) -> Self:
        """The same, where it is asked for again: never less urgent, and of a team where it had none."""
        priority = max(self.priority, other.priority, key=PRIORITIES.index)
        return replace(
            self,
            priority=priority,
            team_id=self.team_id or other.team_id,
            summary=self.summary or other.summary,
        )

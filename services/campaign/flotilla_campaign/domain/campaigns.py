"""Campaigns: a goal, an audience, what it is sent, and when."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from flotilla.events import campaign as events


class CampaignState(StrEnum):
    """How far it is."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    """Nobody is enrolled, and no step begins."""
    FINISHED = "finished"
    """Everybody was enrolled or refused, and has come to their end."""


class CampaignStateError(Exception):
    """It is not in a state in which that can be done; the words say which it is in."""


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """One campaign."""

    organization_id: UUID
    id: UUID
    sequence: int = 1
    name: str
    goal: str | None = None
    state: CampaignState = CampaignState.DRAFT
    segment_id: UUID | None = None
    """The audience; none: a list of people of its own."""
    sequence_id: UUID
    is_bulk: bool
    """Whether its sequence is one message, and nobody else's."""
    starts_at: datetime | None = None
    people_per_minute: int
    started_at: datetime | None = None
    finished_at: datetime | None = None
    created_at: datetime
    updated_at: datetime

    def scheduled(self) -> Self:
        """It starts when its time comes."""
        self._must_be(CampaignState.DRAFT)
        return replace(self, state=CampaignState.SCHEDULED)

    def started(self, now: datetime) -> Self:
        """People are enrolled from here on, for the first time or again."""
        self._must_be(CampaignState.SCHEDULED, CampaignState.PAUSED)
        return replace(self, state=CampaignState.RUNNING, started_at=self.started_at or now)

    def paused(self) -> Self:
        """Until it is resumed."""
        self._must_be(CampaignState.SCHEDULED, CampaignState.RUNNING)
        return replace(self, state=CampaignState.PAUSED)

    def finished(self, now: datetime) -> Self:
        """Nothing is to come."""
        self._must_be(CampaignState.RUNNING)
        return replace(self, state=CampaignState.FINISHED, finished_at=now)

    def must_be_draft(self) -> None:
        """CampaignStateError where it has been started: what it is sent, and to whom, stands."""
        self._must_be(CampaignState.DRAFT)

    def _must_be(self, *states: CampaignState) -> None:
        if self.state not in states:
            raise CampaignStateError(f"The campaign is {self.state}.")

    def told(self, people: int) -> dict[str, Any]:
        """As every event of it says."""
        names = ("name", "goal", "segment_id", "sequence_id", "starts_at", "started_at", "finished_at")
        return {
            "campaign_id": self.id,
            "state": self.state.value,
            "bulk": self.is_bulk,
            "people": people,
            **{name: getattr(self, name) for name in names},
        }


FACTS = {
    CampaignState.RUNNING: events.CampaignStarted,
    CampaignState.PAUSED: events.CampaignPaused,
    CampaignState.FINISHED: events.CampaignFinished,
}
"""What is told of a campaign that has come into a state."""

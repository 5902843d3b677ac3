"""Bodies of requests and answers of campaigns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from flotilla.http.bodies import Shown, Written
from flotilla.store.postgres import Row
from pydantic import AwareDatetime, Field, model_validator

from flotilla_campaign.api.results import ResultOut
from flotilla_campaign.api.schemas import EnrolmentIn, Name
from flotilla_campaign.domain.campaigns import Campaign

MESSAGE = """As a step that sends: `{"text": "Hello {{ name | there }}", "track": true, "window": {…}}`."""

Goal = Annotated[str, Field(max_length=1000)]
Message = Annotated[dict[str, Any], Field(description=MESSAGE, examples=[{"text": "Hello!"}])]
PeoplePerMinute = Annotated[
    int, Field(ge=1, le=10_000, description="How many people are enrolled in a minute at most.")
]


class _Sends(Written):
    message: Message | None = None

    def step(self) -> dict[str, Any] | None:
        """The message as the one step of a sequence."""
        return None if self.message is None else {**self.message, "type": "send"}


class CampaignIn(_Sends):
    """A new draft: with either a sequence or a message."""

    name: Name
    goal: Goal | None = None
    segment_id: UUID | None = Field(
        default=None,
        description="The audience: who is in this segment when it starts. Without one, its list.",
    )
    sequence_id: UUID | None = None
    message: Message | None = None
    starts_at: AwareDatetime | None = None
    people_per_minute: PeoplePerMinute = 60

    @model_validator(mode="after")
    def _one_of_two(self) -> "CampaignIn":
        if (self.sequence_id is None) == (self.message is None):
            raise ValueError("Name a sequence, or write a message.")
        return self


class CampaignPatch(_Sends):
    """What shall differ."""

    name: Name = ""
    goal: Goal | None = None
    segment_id: UUID | None = None
    sequence_id: UUID = UUID(int=0)
    starts_at: AwareDatetime | None = None
    people_per_minute: PeoplePerMinute = 60


class CampaignOut(Shown):
    """A campaign."""

    id: UUID
    name: str
    goal: str | None
    state: Literal["draft", "scheduled", "running", "paused", "finished"]
    segment_id: UUID | None
    sequence_id: UUID
    is_bulk: bool = Field(description="Whether its sequence is one message, and nobody else's.")
    starts_at: datetime | None
    people_per_minute: int
    started_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, campaign: Campaign) -> "CampaignOut":
        """As it is shown."""
        return cls.model_validate(campaign)


class PeopleIn(Written):
    """People for its list."""

    people: Annotated[list[EnrolmentIn], Field(min_length=1, max_length=500)]


class PersonOut(Shown):
    """Somebody on its list."""

    contact_id: UUID
    conversation_id: UUID | None
    time_zone: str | None
    state: Literal["waiting", "enrolled", "refused"]
    reason: str | None = Field(description="Why they were refused: `unsubscribed`, `enrolled` already, …")


class StandOut(Shown):
    """How many of its people are there."""

    state: Literal["waiting", "enrolled", "refused"]
    reason: str | None
    people: int


class CampaignResults(Shown):
    """People and messages."""

    people: list[StandOut]
    messages: list[ResultOut]

    @classmethod
    def told(cls, people: Sequence[Row], messages: Sequence[Row]) -> "CampaignResults":
        """As they are shown."""
        return cls(
            people=[StandOut(**dict(row)) for row in people],
            messages=[ResultOut(**dict(row)) for row in messages],
        )

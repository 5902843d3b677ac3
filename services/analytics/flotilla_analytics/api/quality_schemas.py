"""Quality, as it is written and shown."""

from typing import Annotated, Final
from uuid import UUID

from flotilla.http.bodies import Shown, Written
from pydantic import AwareDatetime, BaseModel, Field

from flotilla_analytics.api.values import Line, Words

MOST_CRITERIA: Final = 100


class CriterionIn(Written):
    """What conversations are judged by."""

    name: Line
    description: Words = ""
    weight: int = Field(default=1, ge=1, le=100)
    most: int = Field(default=5, ge=1, le=100, description="The best score; the worst is 0.")
    active: bool = True


class CriterionOut(Shown):
    """A criterion."""

    id: UUID
    name: str
    description: str
    weight: int
    most: int
    active: bool
    created_at: AwareDatetime


class ScoreIn(Written):
    """What one criterion is given."""

    criterion_id: UUID
    score: int = Field(ge=0, le=100)


class ReviewIn(Written):
    """A judgement of a conversation; the same reviewer's before it is replaced."""

    conversation_id: UUID
    agent_id: UUID | None = Field(default=None, description="None: who led it last.")
    scores: Annotated[list[ScoreIn], Field(min_length=1, max_length=MOST_CRITERIA)]
    comment: Words | None = None


class GivenOut(Shown):
    """What one criterion was given, as it stood then."""

    criterion_id: UUID
    name: str
    score: int
    most: int
    weight: int


class ReviewOut(Shown):
    """A judgement of a conversation."""

    id: UUID
    conversation_id: UUID
    agent_id: UUID
    reviewer_id: UUID
    score: str = Field(description="0 to 100: the weighted mean of the criteria.")
    scores: list[GivenOut]
    comment: str | None
    reviewed_at: AwareDatetime


class AgreementOut(BaseModel):
    """What several gave for the same."""

    name: str | None = None
    reviews: int
    average: str
    spread: str = Field(description="The highest less the lowest.")


class CalibrationOut(BaseModel):
    """What a conversation's reviewers make of it."""

    conversation_id: UUID
    overall: AgreementOut
    criteria: dict[UUID, AgreementOut]
    reviews: list[ReviewOut]


class ReviewerOut(BaseModel):
    """How a reviewer judges, beside the others."""

    reviewer_id: UUID
    reviews: int
    average: str
    shared: int = Field(description="Reviews of conversations that others judged too.")
    deviation: str | None = Field(description="Of these, the mean distance to the average: above 0 is mild.")


class AgentOut(BaseModel):
    """How an agent is judged."""

    agent_id: UUID
    reviews: int
    conversations: int
    average: str


class QualityOut(BaseModel):
    """Quality over some days."""

    agents: list[AgentOut]
    reviewers: list[ReviewerOut]

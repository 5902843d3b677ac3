"""What came of messages, as it is shown."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from flotilla.http.bodies import Shown
from pydantic import Field


class ResultOut(Shown):
    """What came of the messages of a step, or of one variant of it; each message counts once in each."""

    step: int
    variant: str | None
    asked: int = Field(description="Asked for; the others are of these.")
    sent: int
    delivered: int
    failed: int
    bounced: int
    opened: int = Field(description="By people: programs that fetch ahead do not count.")
    clicked: int
    replied: int
    unsubscribed: int = Field(description="By the link in it.")


class ExperimentOut(Shown):
    """Texts of one step, compared; the numbers stand in the results."""

    id: UUID
    version: int
    step: int
    metric: Literal["replied", "clicked", "opened"]
    least: int
    confidence: float
    looks: int = Field(description="How often the numbers were judged, five times at most.")
    winner: str | None = Field(description="The text that every further message has.")
    begun_at: datetime
    decided_at: datetime | None = Field(description="Without a winner: no difference was shown.")

"""What an effect goes back to: carried from the request through every event to the last effect."""

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from flotilla.ids import new_id


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something happens. Stamped on every event that comes of it."""

    correlation_id: UUID
    """One journey: the same from the first request or webhook to the last effect."""
    causation_id: UUID | None = None
    """The event that caused this directly; none where a request did."""
    request_id: UUID | None = None
    """The wish that this answers or belongs to."""
    actor: str | None = None
    traceparent: str | None = None

    @classmethod
    def fresh(cls, actor: str | None = None) -> "Cause":
        """The start of a new journey."""
        return cls(correlation_id=new_id(), actor=actor)


current_cause: ContextVar[Cause | None] = ContextVar("current_cause", default=None)
"""Set around a request, a handled batch of one, a job: what log lines carry."""


@dataclass(slots=True)
class Telling:
    """Whether a request has told of anything by an event."""

    told: bool = False


current_telling: ContextVar[Telling | None] = ContextVar("telling", default=None)
"""Set around a request; every transaction in it says so here."""

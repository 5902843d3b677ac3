"""What an effect goes back to: carried from the request through every event to the last effect."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flotilla.ids import new_id

if TYPE_CHECKING:
    from flotilla.store.postgres import Transaction


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
    """What a request owes the audit log."""

    deed: "Callable[[Transaction], None] | None" = None
    """Tells what the request does, in a transaction of it; None where nothing is owed, or the request is over."""
    told: bool = False
    """Whether a transaction of it that has committed told of anything by an event."""
    changed_alone: bool = False
    """Whether it changed something by a statement outside of every transaction."""
    old_and_new: dict[str, list[Any]] | None = None
    """`{field: [old, new]}` where the route says it (flotilla.http.deeds): then it is told whatever else is."""
    user_id: UUID | None = None
    """Whose data those are, where they are one colleague's."""


current_telling: ContextVar[Telling | None] = ContextVar("telling", default=None)
"""Set around a request, and known to every transaction in it (flotilla.store.telling)."""

"""Pipelines and the stages in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from flotilla.events import pipeline as events

Changed = dict[str, list[Any]]
"""`{field: [old, new]}`, as events carry it."""

FIELDS: Final = ("value", "contact_id", "company_id", "owner_id", "expected_close_on")
"""What a stage may require of a deal."""

DEFAULT_NAME: Final = "Sales"
DEFAULT_STAGES: Final = (
    ("New", "open", 10),
    ("Qualified", "open", 25),
    ("Proposal", "open", 50),
    ("Negotiation", "open", 75),
    ("Won", "won", 100),
    ("Lost", "lost", 0),
)
"""What an organization begins with: name, kind, probability in percent."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A way for deals to go."""

    id: UUID
    sequence: int = 1
    name: str
    is_default: bool = False

    def created(self) -> events.PipelineCreated:
        """Tells that it came to be."""
        return events.PipelineCreated(**self._state())

    def updated(self, changed: Changed) -> events.PipelineUpdated:
        """Tells that it changed."""
        return events.PipelineUpdated(**self._state(), changed=changed)

    def _state(self) -> dict[str, Any]:
        return {"pipeline_id": self.id, "name": self.name, "default": self.is_default}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A place on that way, and what it takes to come there."""

    id: UUID
    sequence: int = 1
    pipeline_id: UUID
    name: str
    kind: str = "open"
    position: int
    probability: int
    required_fields: Sequence[str] = ()
    rots_after_days: int | None = None
    """Days after which a deal that nobody touches is said to rot; only an open stage says so."""
    archived: bool = False

    def created(self) -> events.StageCreated:
        """Tells that it came to be."""
        return events.StageCreated(**self._state())

    def updated(self, changed: Changed) -> events.StageUpdated:
        """Tells that it changed."""
        return events.StageUpdated(**self._state(), changed=changed)

    def _state(self) -> dict[str, Any]:
        return {
            "stage_id": self.id,
            "pipeline_id": self.pipeline_id,
            "name": self.name,
            "kind": self.kind,
            "position": self.position,
            "probability": self.probability,
            "required_fields": list(self.required_fields),
            "rots_after_days": self.rots_after_days,
            "archived": self.archived,
        }


def revise(stage: Stage, wanted: Mapping[str, Any]) -> tuple[Stage, Changed]:
    """The stage with the wanted values, and those that are new; not its position."""
    changed = {
        field: [getattr(stage, field), value]
        for field, value in wanted.items()
        if field != "position" and getattr(stage, field) != value
    }
    return replace(stage, **{field: new for field, (_, new) in changed.items()}), changed


def arrange(stages: Sequence[Stage], moved: UUID, position: int) -> list[Stage]:
    """All stages with one of them at `position`, from 1; the others close up behind it and make room."""
    rest = [stage for stage in stages if stage.id != moved]
    (one,) = (stage for stage in stages if stage.id == moved)
    order = [*rest[: position - 1], one, *rest[position - 1 :]]
    return [replace(stage, position=place) for place, stage in enumerate(order, 1)]

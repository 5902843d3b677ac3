"""Deals and how they move: what may happen, and what is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from flotilla.events import pipeline as events
from flotilla.events.base import Money

from flotilla_pipeline.domain.stages import Changed, Stage

LOSS_REASONS: Final = ("price", "competitor", "timing", "no_need", "no_answer", "other")


class MoveRefusedError(ValueError):
    """A deal may not go where it shall; `reason` is one of those of `deal.move.failed`."""

    def __init__(self, reason: str, words: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(words)
        self.reason = reason
        self.missing = missing


@dataclass(frozen=True, kw_only=True)
class Deal:
    """Something that may be sold to somebody."""

    id: UUID
    sequence: int = 1
    pipeline_id: UUID
    stage_id: UUID
    rank: str
    title: str
    state: str = "open"
    value: Money | None = None
    own_probability: int | None = None
    """In percent, where a person knows better than the stage."""
    contact_id: UUID | None = None
    company_id: UUID | None = None
    conversation_id: UUID | None = None
    owner_id: UUID | None = None
    expected_close_on: date | None = None
    source: str = "manual"
    loss_reason: str | None = None
    qualification_id: UUID | None = None
    entered_stage_at: datetime
    created_at: datetime
    ended_at: datetime | None = None
    rotted_at: datetime | None = None
    """Since when it rots: nobody has touched it for as long as its stage allows."""
    stage_probability: int
    """Its stage's."""

    @property
    def probability(self) -> int:
        """In percent: certain once it is decided."""
        if self.state != "open" or self.own_probability is None:
            return self.stage_probability
        return self.own_probability

    @property
    def open(self) -> bool:
        """Whether it is still to be decided."""
        return self.state == "open"

    def created(self) -> events.DealCreated:
        """Tells that it came to be."""
        return events.DealCreated(**self._state(), qualification_id=self.qualification_id)

    def updated(self, changed: Changed) -> events.DealUpdated:
        """Tells that it changed."""
        return events.DealUpdated(**self._state(), changed=changed)

    def moved(self, before: "Deal", reason: str | None) -> events.DealStageChanged:
        """Tells that it stands elsewhere now."""
        changed: Changed = {"stage_id": [before.stage_id, self.stage_id]}
        if before.state != self.state:
            changed["state"] = [before.state, self.state]
        return events.DealStageChanged(
            **self._state(),
            from_stage_id=before.stage_id,
            to_stage_id=self.stage_id,
            reason=reason,
            seconds_in_stage=seconds_between(before.entered_stage_at, self.entered_stage_at),
            changed=changed,
        )

    def won(self, saga_id: UUID) -> events.DealWon:
        """Tells that the customer said yes."""
        return events.DealWon(**self._state(), saga_id=saga_id)

    def lost(self) -> events.DealLost:
        """Tells that the customer did not."""
        return events.DealLost(**self._state())

    def closed(self, saga_id: UUID) -> events.DealClosed:
        """Tells that it is invoiced and being delivered."""
        return events.DealClosed(**self._state(), saga_id=saga_id, changed={"state": ["won", "closed"]})

    def held(self, hold_id: UUID, reason: str) -> events.DealHeld:
        """Tells that it cannot be won for now."""
        return events.DealHeld(**self._state(), hold_id=hold_id, reason=reason)

    def released(self, hold_id: UUID) -> events.DealReleased:
        """Tells that one hold is no more."""
        return events.DealReleased(**self._state(), hold_id=hold_id)

    def rotted(self, days: int) -> events.DealRotted:
        """Tells that nobody has touched it for so many days."""
        return events.DealRotted(**self._state(), days_untouched=days)

    def _state(self) -> dict[str, Any]:
        same = (
            "pipeline_id stage_id title state value probability contact_id company_id conversation_id owner_id"
            " expected_close_on source loss_reason entered_stage_at created_at ended_at"
        )
        return {"deal_id": self.id, **{field: getattr(self, field) for field in same.split()}}


def revise(deal: Deal, wanted: Mapping[str, Any]) -> tuple[Deal, Changed]:
    """The deal with the wanted values, and those that are new as its events name them."""
    changed = {
        field: [getattr(deal, field), value]
        for field, value in wanted.items()
        if getattr(deal, field) != value
    }
    revised = replace(deal, **{field: new for field, (_, new) in changed.items()})
    changed.pop("own_probability", None)
    if revised.probability != deal.probability:
        changed["probability"] = [deal.probability, revised.probability]
    return revised, changed


def check_move(deal: Deal, stage: Stage, loss_reason: str | None) -> None:
    """MoveRefusedError where the deal may not go to the stage."""
    if not deal.open:
        raise MoveRefusedError("not_open", f"The deal is {deal.state}.")
    if stage.pipeline_id != deal.pipeline_id:
        raise MoveRefusedError("not_found", "There is no stage with this id in the deal's pipeline.")
    if stage.id == deal.stage_id:
        raise MoveRefusedError("already_there", "The deal stands in this stage.")
    if stage.archived:
        raise MoveRefusedError("stage_archived", f"{stage.name} is archived; no deal may come there.")
    check_required(deal, stage)
    if stage.kind == "lost" and loss_reason is None:
        raise MoveRefusedError("loss_reason_missing", "Say why it is lost.", ("loss_reason",))


def check_required(deal: Deal, stage: Stage) -> None:
    """MoveRefusedError where the deal does not say what the stage requires."""
    required = {*stage.required_fields, *(("value",) if stage.kind == "won" else ())}
    missing = tuple(field for field in sorted(required) if getattr(deal, field) is None)
    if missing:
        raise MoveRefusedError(
            "fields_missing", f"To be in {stage.name}, a deal says: {', '.join(missing)}.", missing
        )


def place(deal: Deal, stage: Stage, rank: str, loss_reason: str | None, now: datetime) -> Deal:
    """The deal in another stage, decided where the stage decides it."""
    decided = stage.kind != "open"
    return replace(
        deal,
        stage_id=stage.id,
        stage_probability=stage.probability,
        rank=rank,
        state=stage.kind,
        loss_reason=loss_reason if stage.kind == "lost" else None,
        entered_stage_at=now,
        ended_at=now if decided else None,
    )


def seconds_between(start: datetime, end: datetime) -> int:
    """Whole seconds, never fewer than none: clocks of two transactions may overlap."""
    return max(0, int((end - start).total_seconds()))


def lead_title(name: str | None) -> str:
    """What a deal is called that nobody has named."""
    return name or "New lead"

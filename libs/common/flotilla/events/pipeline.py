"""Events of pipeline: pipelines, their stages, deals and their way through them."""

from datetime import date
from functools import partial
from uuid import UUID

from flotilla.events.base import Event, Moment, Money, Personal, event

_event = partial(event, owner="pipeline")


class Pipeline(Event, frozen=True, kw_only=True):
    """The state of a pipeline."""

    pipeline_id: UUID
    name: str
    default: bool
    """Whether new leads come into it."""


@_event("pipeline.requested.v1", subject="request_id", wish=True)
class PipelineRequested(Event, frozen=True, kw_only=True):
    """An organization that begins shall have its first pipeline. Answered by `pipeline.created` or `pipeline.failed`.

    The pipeline has the id of the request; where there is a default one already, that one answers.
    """

    request_id: UUID


@_event("pipeline.created.v1", subject="pipeline_id")
class PipelineCreated(Pipeline, frozen=True, kw_only=True):
    """There is a way for deals to go; told again where the one that is there answers another wish."""


@_event("pipeline.failed.v1", subject="request_id")
class PipelineFailed(Event, frozen=True, kw_only=True):
    """It was not made."""

    request_id: UUID
    reason: str
    """`cancelled`: it had been taken back before it came."""


@_event("pipeline.delete.requested.v1", subject="request_id", wish=True)
class PipelineDeleteRequested(Event, frozen=True, kw_only=True):
    """A pipeline, or the wish for one, is taken back. Answered by `pipeline.deleted` or `pipeline.delete.failed`.

    Where `cancels` has not come yet, it is refused when it does, and the answer is `pipeline.deleted` as well.
    """

    request_id: UUID
    cancels: UUID
    """The `request_id` of the `pipeline.requested` to undo."""
    reason: str


@_event("pipeline.deleted.v1", subject="pipeline_id")
class PipelineDeleted(Event, frozen=True, kw_only=True):
    """It is gone with its stages; or it will never be."""

    pipeline_id: UUID
    request_id: UUID
    """The `pipeline.delete.requested` that this answers."""
    reason: str


@_event("pipeline.delete.failed.v1", subject="request_id")
class PipelineDeleteFailed(Event, frozen=True, kw_only=True):
    """It stays."""

    request_id: UUID
    cancels: UUID
    reason: str
    """`in_use`: there are deals in it."""


@_event("pipeline.updated.v1", subject="pipeline_id")
class PipelineUpdated(Pipeline, frozen=True, kw_only=True):
    """Its name changed, or it became the default or no longer is."""


class Stage(Event, frozen=True, kw_only=True):
    """The state of a stage."""

    stage_id: UUID
    pipeline_id: UUID
    name: str
    kind: str
    """`open`, `won` or `lost`: what it means for a deal to stand in it."""
    position: int
    """From 1, in its pipeline."""
    probability: int
    """How likely a deal that stands here is won, in percent."""
    required_fields: list[str]
    """What a deal must say before it may come here: `value`, `contact_id`, …"""
    archived: bool
    """No deal may come here any more."""
    rots_after_days: int | None = None
    """Days after which a deal that nobody touches is said to rot."""


@_event("stage.created.v1", subject="stage_id")
class StageCreated(Stage, frozen=True, kw_only=True):
    """There is a stage more."""


@_event("stage.updated.v1", subject="stage_id")
class StageUpdated(Stage, frozen=True, kw_only=True):
    """Something about it changed."""


class Deal(Event, frozen=True, kw_only=True):
    """The state of a deal."""

    deal_id: UUID
    pipeline_id: UUID
    stage_id: UUID
    title: Personal
    state: str
    """`open`, `won` (being invoiced and handed over), `closed` (that is done) or `lost`."""
    value: Money | None
    probability: int
    """In percent: its stage's, or its own where a person said so."""
    contact_id: UUID | None
    company_id: UUID | None
    conversation_id: UUID | None
    owner_id: UUID | None
    expected_close_on: date | None
    source: str
    """`lead`, `manual` or `api`."""
    loss_reason: str | None
    """`price`, `competitor`, `timing`, `no_need`, `no_answer` or `other`; set where it is lost."""
    entered_stage_at: Moment
    created_at: Moment
    ended_at: Moment | None
    """When it was won or lost; null while it is open."""


@_event("deal.created.v1", subject="deal_id", person=("contact_id", "deal_id"))
class DealCreated(Deal, frozen=True, kw_only=True):
    """There is something to sell."""

    qualification_id: UUID | None
    """The `lead.qualified` that it was opened from; null for one that a person made."""


@_event("deal.updated.v1", subject="deal_id", person=("contact_id", "deal_id"))
class DealUpdated(Deal, frozen=True, kw_only=True):
    """Something about it changed; not its stage."""


@_event("deal.assign.requested.v1", subject="request_id", wish=True)
class DealAssignRequested(Event, frozen=True, kw_only=True):
    """A deal shall be somebody's. Answered by `deal.updated`, also where it is theirs already, or by
    `deal.assign.failed`.
    """

    request_id: UUID
    deal_id: UUID
    owner_id: UUID


@_event("deal.assign.failed.v1", subject="request_id")
class DealAssignFailed(Event, frozen=True, kw_only=True):
    """It stays whose it is; the reason says why."""

    request_id: UUID
    deal_id: UUID
    reason: str
    """`not_found` or `unknown_owner`."""


@_event("deal.stage.changed.v1", subject="deal_id", person=("contact_id", "deal_id"))
class DealStageChanged(Deal, frozen=True, kw_only=True):
    """It moved; `actor` says who moved it. Also when a win could not be carried out and it went back."""

    from_stage_id: UUID
    to_stage_id: UUID
    reason: Personal
    """Why, in the words of who moved it."""
    seconds_in_stage: int
    """How long it stood in the stage it left."""


@_event("deal.won.v1", subject="deal_id", person=("contact_id", "deal_id"))
class DealWon(Deal, frozen=True, kw_only=True):
    """The customer said yes: the invoice and the delivery follow."""

    saga_id: UUID
    """The saga that sees to them: /v1/sagas/pipeline/{saga_id}."""


@_event("deal.lost.v1", subject="deal_id", person=("contact_id", "deal_id"))
class DealLost(Deal, frozen=True, kw_only=True):
    """The customer said no, or nothing; `loss_reason` says which."""


@_event("deal.closed.v1", subject="deal_id", person=("contact_id", "deal_id"))
class DealClosed(Deal, frozen=True, kw_only=True):
    """It was won, its invoice is issued and its delivery is a task."""

    saga_id: UUID


@_event("deal.move.requested.v1", subject="request_id", wish=True)
class DealMoveRequested(Event, frozen=True, kw_only=True):
    """A deal shall move. Answered by `deal.stage.changed` or `deal.move.failed`."""

    request_id: UUID
    deal_id: UUID
    stage_id: UUID
    reason: str | None
    """What asks for it: the rule's name."""
    loss_reason: str | None = None
    """Needed where the stage is a lost one."""


@_event("deal.move.failed.v1", subject="request_id")
class DealMoveFailed(Event, frozen=True, kw_only=True):
    """It did not move; the reason says why."""

    request_id: UUID
    deal_id: UUID
    stage_id: UUID
    reason: str
    """`not_found`, `already_there`, `not_open`, `stage_archived`, `fields_missing`, `loss_reason_missing` or `held`."""


@_event("deal.rotted.v1", subject="deal_id", person=("contact_id", "deal_id"))
class DealRotted(Deal, frozen=True, kw_only=True):
    """Nobody has touched it for as long as its stage allows. Told once, and again only after it was touched."""

    days_untouched: int


@_event("deal.hold.requested.v1", subject="request_id", wish=True)
class DealHoldRequested(Event, frozen=True, kw_only=True):
    """A deal shall not be won for now. Answered by `deal.held` or `deal.hold.failed`."""

    request_id: UUID
    deal_id: UUID
    hold_id: UUID
    """Chosen by who asks, who ends the hold by it; a deal may be held by several."""
    reason: str
    """Why, in words for whoever wants to win it."""


@_event("deal.held.v1", subject="deal_id", person=("contact_id", "deal_id"))
class DealHeld(Deal, frozen=True, kw_only=True):
    """It cannot be won until every hold on it is released."""

    hold_id: UUID
    reason: str


@_event("deal.hold.failed.v1", subject="request_id")
class DealHoldFailed(Event, frozen=True, kw_only=True):
    """It is not held; the reason says why."""

    request_id: UUID
    deal_id: UUID
    reason: str
    """`not_found` or `not_open`."""


@_event("deal.release.requested.v1", subject="request_id", wish=True)
class DealReleaseRequested(Event, frozen=True, kw_only=True):
    """A hold shall end. Answered by `deal.released` or `deal.release.failed`."""

    request_id: UUID
    deal_id: UUID
    hold_id: UUID


@_event("deal.released.v1", subject="deal_id", person=("contact_id", "deal_id"))
class DealReleased(Deal, frozen=True, kw_only=True):
    """That hold is no more; told again where it was none."""

    hold_id: UUID


@_event("deal.release.failed.v1", subject="request_id")
class DealReleaseFailed(Event, frozen=True, kw_only=True):
    """There is no such deal."""

    request_id: UUID
    deal_id: UUID
    reason: str
    """`not_found`."""

"""Events of analytics: rebuilding projections from the archive, reading it from a position; metrics that people define,
goals, reports, surveys and reviews.
"""

from datetime import date
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec

from flotilla.events.base import PERSONAL, Event, Moment, Personal, event

_event = partial(event, owner="analytics")


@_event("replay.requested.v1", subject="replay_id", wish=True)
class ReplayRequested(Event, frozen=True, kw_only=True):
    """Projections of a service shall be built anew from the archive, beside the ones that stand, and take their
    place. Answered by `replay.finished` or `replay.failed` of that service.

    Without filters they are replaced as a whole. With `types`, `subjects` or `since` only what the archive tells of
    those events is set right, and nothing is removed.
    """

    request_id: UUID
    replay_id: UUID
    service: str
    projections: tuple[str, ...] = ()
    """Names of its projections; none: all of them."""
    organizations: tuple[UUID, ...] = ()
    """None: all of the region. Read only where the wish is the platform's; else it is the organization's own."""
    types: tuple[str, ...] = ()
    """Exact types; none: all that the projections take."""
    subjects: tuple[str, ...] = ()
    """Ids of entities; none: all."""
    since: Moment | None = None
    """Events of this time and later."""
    latest: bool = True
    """The newest state of each entity only; else all events, in the order of the archive."""


@_event("replay.started.v1", subject="replay_id", shared=True)
class ReplayStarted(Event, frozen=True, kw_only=True):
    """A service has begun a new generation: from here on live events go into both."""

    request_id: UUID
    replay_id: UUID
    service: str
    projections: list[str]
    types: list[list[str]]
    """Of each projection, in this order: the types that it is to be given."""


@_event("replay.finished.v1", subject="replay_id", shared=True)
class ReplayFinished(Event, frozen=True, kw_only=True):
    """The new generation has taken the place of the old one. The counts say how the old one differed."""

    request_id: UUID
    replay_id: UUID
    service: str
    projections: list[str]
    events: int
    """How many of the archive's were applied."""
    added: int
    """Rows that were missing."""
    updated: int
    """Rows that were wrong."""
    removed: int
    """Rows that the archive knows nothing of."""


@_event("replay.failed.v1", subject="replay_id", shared=True)
class ReplayFailed(Event, frozen=True, kw_only=True):
    """The projections stand as they stood before."""

    request_id: UUID
    replay_id: UUID
    service: str
    reason: str


@_event("archive.read.requested.v1", subject="reading_id", wish=True)
class ArchiveReadRequested(Event, frozen=True, kw_only=True):
    """The archive's events of the wish's organization shall be brought to a queue of the service that asks, as
    stretches (`flotilla.replay.wire.Stretch`), in the order of their positions. Answered by `archive.read.finished`
    or `archive.read.failed`.
    """

    request_id: UUID
    reading_id: UUID
    """On every stretch."""
    queue: str
    """A queue of the asking service, `<service>.<name>`."""
    after: int = 0
    """The cursor: the position of the last event that is known."""
    types: tuple[str, ...] = ()
    """Exact types; none: all."""
    subjects: tuple[str, ...] = ()
    """Ids of entities; none: all."""
    since: Moment | None = None
    personal: bool = False
    """Whether personal fields are opened; else they are null."""


@_event("archive.read.finished.v1", subject="reading_id")
class ArchiveReadFinished(Event, frozen=True, kw_only=True):
    """Everything up to a position stands in the queue."""

    request_id: UUID
    reading_id: UUID
    position: int
    """Ask again from here."""


@_event("archive.read.failed.v1", subject="reading_id")
class ArchiveReadFailed(Event, frozen=True, kw_only=True):
    """The rest was not brought; what was brought stands."""

    request_id: UUID
    reading_id: UUID
    reason: str


class MetricPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement."""

    point_id: str
    """Whoever measured named it so: the same is taken once."""
    at: Moment
    value: str
    """A decimal number."""


@_event("metric.recorded.v1", subject="metric_id")
class MetricRecorded(Event, frozen=True, kw_only=True):
    """Measurements of a metric that people or partners defined; at most 200 at a time, each told once."""

    metric_id: UUID
    name: str
    unit: str
    aggregation: str
    """What the points of a stretch make together: `sum`, `average` or `count`."""
    points: list[MetricPoint]


@_event("goal.reached.v1", subject="goal_id")
class GoalReached(Event, frozen=True, kw_only=True):
    """A goal was reached in a period; told once of each, also where the number falls again."""

    goal_id: UUID
    name: str
    measure: str
    owner_id: UUID | None
    """Whose goal it is; null: the organization's."""
    target: str
    """A decimal number, like `value`; amounts are in the currency's smallest unit."""
    value: str
    period_from: date
    period_to: date
    """Exclusive."""
    reached_at: Moment


@_event("report.ready.v1", subject="run_id")
class ReportReady(Event, frozen=True, kw_only=True):
    """A report was made; its file is fetched at /v1/reports/{report_id}/runs/{run_id}."""

    run_id: UUID
    report_id: UUID
    name: str
    measure: str
    day_from: date
    day_to: date
    """Exclusive."""
    format: str
    """`csv`, `json` or `xlsx`."""
    rows: int
    size: int
    """In bytes."""
    requested_by: UUID | None
    """Null where its schedule did."""
    expires_at: Moment
    """When the file is removed."""


class Survey(Event, frozen=True, kw_only=True):
    """A survey that one person was asked to answer."""

    send_id: UUID
    survey_id: UUID
    kind: str
    """`csat` (1-5), `nps` (0-10), `ces` (1-7) or `custom`."""
    conversation_id: UUID
    contact_id: UUID | None
    channel: str
    agent_id: UUID | None
    """Whose conversation it was."""
    sent_at: Moment


@_event("survey.sent.v1", subject="send_id")
class SurveySent(Survey, frozen=True, kw_only=True):
    """The channel took the message with the link."""


@_event("survey.answered.v1", subject="send_id", person=("contact_id", "send_id"))
class SurveyAnswered(Survey, frozen=True, kw_only=True):
    """They answered, or changed their answer; `changed` says what."""

    score: int | None
    """On the scale of its kind; null where a custom survey asks for none."""
    comment: Personal
    answered_at: Moment


class CriterionScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a review gives for one criterion."""

    criterion_id: UUID
    name: str
    score: int
    """From 0."""
    most: int
    weight: int


@_event("quality.reviewed.v1", subject="review_id", person=("agent_id",))
class QualityReviewed(Event, frozen=True, kw_only=True):
    """Somebody judged how a conversation was led, or changed their judgement."""

    review_id: UUID
    conversation_id: UUID
    agent_id: UUID
    """Who led it."""
    reviewer_id: UUID
    score: str
    """From 0 to 100: the weighted mean of the criteria, with two decimals."""
    scores: list[CriterionScore]
    comment: Personal
    reviewed_at: Moment


@_event("audit.exported.v1", subject="export_id")
class AuditExported(Event, frozen=True, kw_only=True):
    """Somebody took the audit log out, or began to."""

    export_id: UUID
    format: str
    """`ndjson` or `csv`."""
    filter: dict[str, str]
    """What was asked for: `actor`, `action`, `subject`, …; empty: all of it."""


OldAndNew = Annotated[dict[str, list[Any]] | None, PERSONAL]
"""Personal as a whole: people write into settings what they like."""


@_event("request.performed.v1", subject="thing_id", person=("user_id", "request_id"), shared=True)
class RequestPerformed(Event, frozen=True, kw_only=True):
    """Somebody did something that no other event tells of (flotilla.http.deeds): for the audit log.

    Its sequence is the clock's, in microseconds: nobody counts requests about a thing.
    """

    request_id: UUID
    thing_id: Annotated[str, msgspec.Meta(min_length=1)]
    """What it was about: what it made, else the last parameter of its path, else itself."""
    method: str
    route: str
    """`/v1/goals/{goal_id}`."""
    parameters: dict[str, str]
    fields: list[str]
    """Names of the fields that were sent."""
    values: dict[str, Any]
    """What was sent in them, where none of it can be personal or secret."""
    old_and_new: OldAndNew = None
    """`{field: [old, new]}` of what it changed, where the route says it: a bank account, whom a condition names."""
    user_id: UUID | None = None
    """Whose data those are, where they are one colleague's; else they are the organization's, and go with it."""

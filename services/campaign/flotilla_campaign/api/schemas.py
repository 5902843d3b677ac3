"""Bodies of requests and answers."""

import zoneinfo
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from flotilla.http.bodies import Patch
from flotilla.store.postgres import Row
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from flotilla_campaign.domain.enrolments import Enrolment
from flotilla_campaign.domain.sequences import SequenceDraft

STEPS = """In their order: `{"type": "send", "text": "Hello {{ name | there }}", "window": {"opens": "09:00", "closes":
"17:00", "days": [1, 2, 3, 4, 5]}}`, `{"type": "wait", "amount": 2, "unit": "days"}` (or `minutes`, `hours`),
`{"type": "branch", "on": "replied", "then": 4, "otherwise": 3}` (or `opened`, `clicked`), `{"type": "branch", "on":
"field", "field": "plan", "equals": "pro", "then": 4, "otherwise": 3}`. A branch leads to a later step, by its place
from 0; the number of steps is the end. A window is open by the wall clock of the person's zone, else of the
organization's. With `"track": true` a message tells when it is opened and its links are followed; with `"variants":
["…"]` and `"experiment": {"metric": "replied", "least": 100, "confidence": 0.95}` the best text is found out and kept.
`{{ unsubscribe_link }}` is the place of the link by which they want no more."""


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if not line or not line.isprintable():
        raise ValueError("Write it on one line, without control characters.")
    return line


def _zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ValueError("Write a zone of the IANA data base, as `Europe/Berlin`.")
    return name


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("Write no NUL characters.")
    return text


Name = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Steps = Annotated[list[dict[str, Any]], Field(description=STEPS)]
StopOnReply = Annotated[bool, Field(description="Whether any message of the person ends their run.")]
SegmentId = Annotated[
    UUID | None,
    Field(description="Who enters this segment of crm from here on is enrolled in the newest version."),
]
LeavesWithSegment = Annotated[bool, Field(description="Whether who leaves the segment goes no further.")]
FieldName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,49}$")]
FieldValue = Annotated[str, Field(max_length=500), AfterValidator(_no_nul)]


class Written(BaseModel):
    """A body: a field it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid")


class SequenceIn(Written):
    """A new sequence."""

    name: Name
    steps: Steps
    stop_on_reply: StopOnReply = True
    segment_id: SegmentId = None
    leaves_with_segment: LeavesWithSegment = False


class SequencePatch(Patch):
    """What the next version shall say differently."""

    name: Name = ""
    steps: Steps = Field(default_factory=list)
    stop_on_reply: StopOnReply = True
    segment_id: SegmentId = None
    leaves_with_segment: LeavesWithSegment = False


class SequenceOut(BaseModel):
    """A sequence as it is being written."""

    id: UUID
    name: str
    steps: list[dict[str, Any]]
    stop_on_reply: bool
    version: int = Field(description="The last one published; 0 before the first.")
    segment_id: UUID | None
    leaves_with_segment: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, draft: SequenceDraft) -> "SequenceOut":
        """As it is shown."""
        return cls(**{name: getattr(draft, name) for name in cls.model_fields})


class EnrolmentIn(Written):
    """Who, and where they are written to."""

    contact_id: UUID
    conversation_id: UUID | None = Field(
        default=None, description="Without one, the conversation in which they wrote or were written to last."
    )
    fields: Annotated[dict[FieldName, FieldValue], Field(max_length=50)] = Field(
        default={}, description="What texts and branches may use; forgotten when the run ends."
    )
    time_zone: Annotated[str, AfterValidator(_zone)] | None = Field(
        default=None, description="The person's, IANA; without one the organization's."
    )


class EnrolmentOut(BaseModel):
    """One person's run through one version."""

    id: UUID
    sequence_id: UUID
    version: int
    contact_id: UUID
    conversation_id: UUID | None
    time_zone: str | None
    state: Literal["active", "paused", "finished", "stopped"]
    reason: str | None = Field(description="Why it was stopped.")
    step: int = Field(description="The step it is at, from 0.")
    phase: Literal["due", "wait", "window", "answer"] = Field(description="What that step waits for.")
    due_at: datetime = Field(description="When that is over, if nothing comes before.")
    replied_at: datetime | None
    opened_at: datetime | None = Field(description="Programs that fetch ahead do not count.")
    clicked_at: datetime | None
    started_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, enrolment: Enrolment) -> "EnrolmentOut":
        """As it is shown."""
        return EnrolmentOut(**{name: getattr(enrolment, name) for name in EnrolmentOut.model_fields})


class StepOut(BaseModel):
    """A step that was taken, and why so."""

    step: int
    kind: str
    request_id: UUID | None = Field(description="The message of a step that sends.")
    state: Literal["asked", "done", "failed"]
    reason: str | None
    begun_at: datetime
    over_at: datetime | None


class EnrolmentWithSteps(EnrolmentOut):
    """An enrolment, and every step that it took."""

    steps: list[StepOut]

    @classmethod
    def told(cls, enrolment: Enrolment, effects: list[Row]) -> "EnrolmentWithSteps":
        """As it is shown."""
        shown = EnrolmentOut.of(enrolment).model_dump()
        return cls(**shown, steps=[StepOut(**dict(row)) for row in effects])


class SuppressionIn(Written):
    """Who wants no more."""

    contact_id: UUID


class SuppressionOut(BaseModel):
    """Nothing is sent to them by sequences."""

    contact_id: UUID
    reason: Literal["replied", "requested", "link", "withdrawn", "bounced"]
    unsubscribed_at: datetime

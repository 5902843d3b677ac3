"""Bodies of requests and answers."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from flotilla.http.bodies import Patch
from flotilla.store.postgres import Row
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from flotilla_automation.domain.rules import InvalidRuleError, Rule, RuleState
from flotilla_automation.domain.runs import Run

CONDITION = """`{"field": "data.channel", "operator": "equals", "value": "telegram"}`, or `{"all": […]}`,
`{"any": […]}`, `{"not": …}` of conditions. GET /v1/triggers/{type} lists the fields and their operators. Null: it
always holds."""
SCHEDULE = """When a rule whose trigger is `schedule.due.v1` is due: `{"cron": "0 9 * * 1-5", "time_zone":
"Europe/Berlin"}`, with five fields: minute, hour, day of the month, month, day of the week."""
ACTIONS = """In their order. `{"type": "create_task", "title": "Call {{ data.sender.name | the customer }}"}`,
`move_deal`, `send_message`, `assign_conversation`, `assign_deal`, `assign_contact`, `tag_contact`, `start_sequence`,
`ask_ai`, `notify`, `book_host`, `call_webhook`, `wait`, `no_reply`. `send_message` says its `purpose`: `service` for an
answer and for what the person needs to be told; `promotion` for anything else, which asks for their consent by the law
of their region. Ids are UUIDs, or one place of the event that holds one."""


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if not line or not line.isprintable():
        raise ValueError("Write it on one line, without control characters.")
    return line


Name = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Position = Annotated[int, Field(ge=0, le=1_000_000, description="Rules of one trigger run in this order.")]


class Written(BaseModel):
    """A body: a field it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid")


Schedule = Annotated[dict[str, Any] | None, Field(description=SCHEDULE)]


class RuleIn(Written):
    """A new rule."""

    name: Name
    enabled: bool = False
    position: Position | None = None
    trigger: Annotated[str, Field(max_length=100, examples=["message.received.v1"])]
    condition: Annotated[dict[str, Any] | None, Field(description=CONDITION)] = None
    actions: Annotated[list[dict[str, Any]], Field(description=ACTIONS)]
    schedule: Schedule = None


class RulePatch(Patch):
    """What shall differ."""

    name: Name = ""
    enabled: bool = False
    position: Position = 0
    trigger: Annotated[str, Field(max_length=100)] = ""
    condition: Annotated[dict[str, Any] | None, Field(description=CONDITION)] = None
    actions: Annotated[list[dict[str, Any]], Field(description=ACTIONS)] = Field(default_factory=list)
    schedule: Schedule = None


class RuleOut(BaseModel):
    """A rule in its present version."""

    id: UUID
    name: str
    enabled: bool
    position: int
    version: int
    trigger: str
    condition: dict[str, Any] | None
    actions: list[dict[str, Any]]
    schedule: dict[str, Any] | None
    next_due_at: datetime | None = Field(description="When it runs next, of an enabled rule with a schedule.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, rule: Rule) -> "RuleOut":
        """As it is shown."""
        told = ("enabled", "next_due_at")
        values = {name: getattr(rule, name) for name in cls.model_fields if name not in told}
        enabled = rule.state is RuleState.ENABLED
        return cls(**values, enabled=enabled, next_due_at=_next_due(rule) if enabled else None)


def _next_due(rule: Rule) -> datetime | None:
    """None as well where its events have changed so that it fits them no more."""
    try:
        schedule = rule.plan.schedule
    except InvalidRuleError:
        return None
    return None if schedule is None else schedule.after(datetime.now(UTC))


class FindingOut(BaseModel):
    """One comparison, and what it came to."""

    pointer: str = Field(description="Into the rule: `/condition/all/0`.")
    field: str
    operator: str
    expected: Any
    actual: Any = Field(description="Null as well where the field is personal.")
    personal: bool
    holds: bool


class RunOut(BaseModel):
    """One time that an event triggered a rule, or nearly did."""

    id: UUID
    rule_id: UUID
    version: int
    event_id: UUID
    event_type: str
    subject: str
    correlation_id: UUID
    depth: int
    state: str
    reason: str | None
    step: int = Field(description="The action it is at, from 0.")
    conditions: list[FindingOut]
    started_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, run: Run) -> "RunOut":
        """As it is shown."""
        names = [name for name in RunOut.model_fields if name != "conditions"]
        findings = [FindingOut(**finding) for finding in run.explanation]
        return RunOut(**{name: getattr(run, name) for name in names}, conditions=findings)


class StepOut(BaseModel):
    """What a run did at one of its steps."""

    step: int
    kind: str
    request_id: UUID
    state: str
    reason: str | None
    begun_at: datetime
    over_at: datetime | None


class RunWithSteps(RunOut):
    """A run, and every step that it took."""

    steps: list[StepOut]

    @classmethod
    def told(cls, run: Run, effects: list[Row]) -> "RunWithSteps":
        """As it is shown."""
        return cls(**RunOut.of(run).model_dump(), steps=[StepOut(**dict(row)) for row in effects])


class SampleIn(Written):
    """An event to try."""

    data: dict[str, Any]
    actor: Annotated[str | None, Field(max_length=200)] = None
    time: AwareDatetime | None = None


class DryRunIn(Written):
    """A rule to try, and what on."""

    trigger: Annotated[str, Field(max_length=100)]
    condition: Annotated[dict[str, Any] | None, Field(description=CONDITION)] = None
    actions: Annotated[list[dict[str, Any]], Field(description=ACTIONS)]
    schedule: Schedule = None
    events: Annotated[list[SampleIn], Field(max_length=50)] = []
    recent: Annotated[
        int, Field(ge=0, le=200, description="So many of the newest events of this type are looked at too.")
    ] = 0


class TrialOut(BaseModel):
    """What the rule would have done with one event."""

    event_id: UUID
    source: Literal["sample", "recent"]
    subject: str
    matched: bool
    nearly: bool
    conditions: list[FindingOut]
    actions: list[dict[str, Any]] = Field(description="What would be asked for, none of it was.")


class DryRunOut(BaseModel):
    """Every event that was looked at, samples first."""

    items: list[TrialOut]


class FieldOut(BaseModel):
    """Something that a condition may look at."""

    path: str
    kind: str
    personal: bool
    operators: list[str]


class TriggerOut(BaseModel):
    """A type of event, and what a condition may look at."""

    type: str
    description: str
    fields: list[FieldOut]

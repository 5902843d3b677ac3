"""Sales figures, as they are shown."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, Field


class Time(BaseModel):
    """How long it took."""

    mean_seconds: float | None = Field(description="Exact.")
    p50_seconds: float | None = Field(description="To within 7 %, like the others.")
    p90_seconds: float | None
    p95_seconds: float | None


class Amount(BaseModel):
    """What deals of one currency are worth; deals without a value are in none."""

    currency: str
    deals: int
    amount_minor: int
    average_minor: int = Field(description="Rounded half to even.")


class LeadsOut(BaseModel):
    """Leads of one period."""

    period: date | None = Field(description="Its first day; null where it is the whole stretch.")
    created: int = Field(description="Qualified in the period.")
    won: int = Field(description="Of these, converted up to now.")
    unqualified: int = Field(description="Of these, given up.")
    open: int
    conversion_rate: str | None = Field(description="won / created: of the cohort.")
    converted: int = Field(description="Converted in the period, whenever they were qualified.")
    period_rate: str | None = Field(description="converted / created.")
    time_to_convert: Time


class LeadsReport(BaseModel):
    """The conversion of leads."""

    day_from: date
    day_to: date
    periods: list[LeadsOut]


class DealsOut(BaseModel):
    """Deals of one period and group."""

    period: date | None
    pipeline_id: UUID | None = None
    owner_id: UUID | None = None
    source: str | None = None
    created: int
    created_won: int = Field(description="Of the created, won up to now.")
    created_lost: int
    conversion_rate: str | None = Field(description="created_won / created: of the cohort.")
    won: int = Field(description="Won in the period.")
    lost: int
    win_rate: str | None = Field(description="won / (won + lost).")
    revenue: list[Amount] = Field(description="Of what was won in the period, with the average deal size.")
    cycle: Time = Field(description="From made to won, of what was won in the period.")


class DealsReport(BaseModel):
    """Deals, won and lost."""

    day_from: date
    day_to: date
    groups: list[DealsOut]


class Bar(BaseModel):
    """So many took this long."""

    from_seconds: float
    to_seconds: float
    deals: int


class CycleOut(BaseModel):
    """How sales cycles are distributed."""

    deals: int
    time: Time
    distribution: list[Bar] = Field(description="Eight bars to a doubling; those without deals are left out.")


class StageOut(BaseModel):
    """What went through a stage."""

    stage_id: UUID
    name: str
    kind: str
    position: int
    archived: bool
    reached: int = Field(description="Deals made in the period that ever stood here.")
    entered: int = Field(description="Entries in the period, a deal that comes again counts again.")
    left_forward: int
    left_back: int
    left_lost: int
    conversion_rate: str | None = Field(description="left_forward / all that left.")
    time_in_stage: Time


class FunnelOut(BaseModel):
    """A pipeline's funnel."""

    pipeline_id: UUID
    day_from: date
    day_to: date
    stages: list[StageOut]


class LossOut(BaseModel):
    """Deals lost for one reason."""

    reason: str
    deals: int
    share: str | None
    amounts: list[Amount]


class LossesOut(BaseModel):
    """Why deals were lost."""

    deals: int
    reasons: list[LossOut]

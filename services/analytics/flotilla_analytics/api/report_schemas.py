"""Reports, as they are written and shown."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from flotilla.http.bodies import Shown, Written
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from flotilla_analytics.api.values import Dimensions, Filters, Line, MeasureName
from flotilla_analytics.domain.periods import Granularity
from flotilla_analytics.domain.reports import Period


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError("no IANA time zone has this name") from None
    return name


class ScheduleIO(BaseModel):
    """When it is made by itself."""

    model_config = ConfigDict(extra="forbid")
    every: Literal["day", "week", "month"]
    hour: int = Field(default=8, ge=0, le=23)
    time_zone: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$"), AfterValidator(_zone)] = (
        "UTC"
    )
    weekday: int = Field(default=1, ge=1, le=7, description="ISO 8601: 1 is Monday. Of `week`.")
    day: int = Field(default=1, ge=1, le=28, description="Of `month`.")


class ReportIn(Written):
    """A question to be saved."""

    name: Line
    measure: MeasureName
    dimensions: Dimensions = Field(default=[])
    filters: Filters = Field(default={}, description="Dimension → the only value wanted.")
    granularity: Granularity = Granularity.ALL
    period: Period = Period.LAST_30_DAYS
    format: Literal["csv", "json", "xlsx"] = "csv"
    schedule: ScheduleIO | None = None
    recipients: Annotated[list[UUID], Field(max_length=50)] = Field(
        default=[], description="Who is told when it is ready, beside who asked."
    )


class ReportOut(Shown):
    """A saved question."""

    id: UUID
    name: str
    measure: str
    dimensions: list[str]
    filters: dict[str, str]
    granularity: Granularity
    period: Period
    format: str
    schedule: ScheduleIO | None
    recipients: list[UUID]
    created_by: UUID
    created_at: AwareDatetime


class RunOut(Shown):
    """A report, made or in the making."""

    id: UUID
    report_id: UUID
    state: Literal["running", "ready", "failed", "expired"]
    reason: str | None
    requested_by: UUID | None = Field(description="Null where its schedule did.")
    day_from: date
    day_to: date
    format: str
    rows: int | None
    size: int | None = Field(description="In bytes.")
    requested_at: AwareDatetime
    ended_at: AwareDatetime | None
    expires_at: AwareDatetime | None = Field(description="When its file is removed.")


class RunDetailOut(RunOut):
    """A report with the way to its file."""

    url: str | None = Field(
        description="Leads to the file for an hour, without signing in: pass it on with care."
    )


class MeasureOut(BaseModel):
    """Something that can be asked."""

    name: str
    title: str
    unit: str
    dimensions: list[str]

"""What is remembered of deals, leads and stages, and what each adds to which number."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from flotilla_analytics.domain.histogram import COUNT, bucket_of

NONE: Final = UUID(int=0)
"""Stands in place of an id where there is none."""


class SalesMetric(StrEnum):
    """What is measured."""

    DEALS = "deals"
    """Deals by the day they were made; `part` is what became of them: `open`, `won` or `lost`."""
    REACHED = "stages_reached"
    """The same deals by each stage that they ever stood in."""
    MOVES = "moves"
    """Entries into stages by day, from another (with the time there) or from none, as new."""
    WON = "deals_won"
    """Deals by the day they were won, with the time since they were made and their value."""
    LOST = "deals_lost"
    """The same of lost ones; `part` is the reason."""
    LEADS = "leads"
    """Leads by the day they were qualified; `part` is what became of them."""
    CONVERTED = "leads_converted"
    """Leads by the day they were converted, with the time since they were qualified."""


class Cell(NamedTuple):
    """One number of one organization; the nil id or `""` where a dimension does not apply."""

    org: UUID
    metric: str
    day: date
    pipeline_id: UUID = NONE
    owner_id: UUID = NONE
    stage_id: UUID = NONE
    """Where a deal stood; of a move, where it came from."""
    to_stage_id: UUID = NONE
    source: str = ""
    part: str = ""
    currency: str = ""
    bucket: int = COUNT


@dataclass(frozen=True, slots=True)
class Deal:
    """What the fold remembers of a deal."""

    sequence: int
    """Of the newest state known."""
    pipeline_id: UUID
    owner_id: UUID | None
    source: str
    state: str
    amount_minor: int | None
    currency: str | None
    loss_reason: str | None
    created_at: datetime
    ended_at: datetime | None
    reached: frozenset[UUID]

    @property
    def outcome(self) -> str:
        """`open`, `won` or `lost`; what is being invoiced and what is closed is won."""
        return "won" if self.state == "closed" else self.state

    def cells(self, org: UUID) -> Iterator[tuple[Cell, int, int]]:
        """What it contributes: where, milliseconds, amount."""
        amount = self.amount_minor or 0
        made = Cell(org, SalesMetric.DEALS, day_of(self.created_at), self.pipeline_id, self.owner_id or NONE)
        made = made._replace(source=self.source, currency=self.currency or "")
        yield made._replace(part=self.outcome), 0, amount
        for stage in self.reached:
            yield made._replace(metric=SalesMetric.REACHED, stage_id=stage, currency=""), 0, 0
        if self.ended_at is None or self.outcome == "open":
            return
        took = _milliseconds(self.created_at, self.ended_at)
        ended = made._replace(day=day_of(self.ended_at), bucket=bucket_of(took))
        if self.outcome == "won":
            yield ended._replace(metric=SalesMetric.WON), took, amount
        else:
            yield ended._replace(metric=SalesMetric.LOST, part=self.loss_reason or ""), took, amount


@dataclass(frozen=True, slots=True)
class Lead:
    """What the fold remembers of a lead."""

    sequence: int
    owner_id: UUID | None
    source: str
    status: str
    qualified_at: datetime
    converted_at: datetime | None

    @property
    def outcome(self) -> str:
        """`open`, `converted` or `unqualified`."""
        return self.status if self.status in ("converted", "unqualified") else "open"

    def cells(self, org: UUID) -> Iterator[tuple[Cell, int, int]]:
        """What it contributes: where, milliseconds, amount."""
        made = Cell(org, SalesMetric.LEADS, day_of(self.qualified_at), source=self.source)
        made = made._replace(owner_id=self.owner_id or NONE)
        yield made._replace(part=self.outcome), 0, 0
        if self.converted_at is not None and self.outcome == "converted":
            took = _milliseconds(self.qualified_at, self.converted_at)
            converted = made._replace(metric=SalesMetric.CONVERTED, day=day_of(self.converted_at))
            yield converted._replace(bucket=bucket_of(took)), took, 0


@dataclass(frozen=True, slots=True)
class Stage:
    """What the fold remembers of a stage."""

    sequence: int
    pipeline_id: UUID
    name: str
    kind: str
    position: int
    archived: bool


Key = tuple[UUID, UUID]
"""Organization and deal, lead or stage."""


def day_of(time: datetime) -> date:
    """The day on which it was, UTC."""
    return time.astimezone(UTC).date()


def _milliseconds(start: datetime, end: datetime) -> int:
    """Clocks that disagree make it 0, not negative."""
    return max(0, (end - start) // timedelta(milliseconds=1))

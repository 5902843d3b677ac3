"""Why did this happen: everything that came of one request or webhook, in causal order."""

from typing import Final
from uuid import UUID

from flotilla.http import CurrentApp, NotFoundError, Routes, Tx, Who
from pydantic import BaseModel, Field

from flotilla_analytics.api.events import JourneyStep, shown
from flotilla_analytics.archiving import open_parts, redacted
from flotilla_analytics.domain.journeys import causal_order
from flotilla_analytics.store import archive

routes = Routes("/v1/journeys", tag="journeys")

LONGEST: Final = 1_000


class Journey(BaseModel):
    """The events of one correlation id."""

    correlation_id: UUID
    steps: list[JourneyStep] = Field(description="Each event after the one that caused it.")
    truncated: bool = Field(description=f"There are more than {LONGEST} events; these are the first.")


@routes.get("/{correlation_id}", permission="journeys:read")
async def read_journey(correlation_id: UUID, tx: Tx, who: Who, app: CurrentApp) -> Journey:
    """Every event of a correlation id; personal fields are null without the permission `archive:read`."""
    rows = await archive.read_journey(tx, who.org, correlation_id, LONGEST + 1)
    if not rows:
        raise NotFoundError("No event of this correlation id is archived; it takes a second to get here.")
    steps = rows[:LONGEST]
    may_open = who.may("archive:read")
    data = await open_parts(tx, app.keyring, steps) if may_open else [redacted(row) for row in steps]
    events = [shown(row, opened) for row, opened in zip(steps, data, strict=True)]
    return Journey(
        correlation_id=correlation_id,
        steps=[JourneyStep(depth=place.depth, **dict(events[place.at])) for place in causal_order(events)],
        truncated=len(rows) > LONGEST,
    )

"""/v1/pipelines/{id}/board and /forecast: a pipeline's deals side by side, and what they may bring."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query
from flotilla.http import Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown
from flotilla.http.pages import page

from flotilla_pipeline.api.deals import DealOut
from flotilla_pipeline.api.pipelines import StageOut, there
from flotilla_pipeline.api.values import MoneyValue
from flotilla_pipeline.store import board as store
from flotilla_pipeline.store import pipelines

board = Routes("/v1/pipelines", tag="pipelines")
FIRST = ("", UUID(int=0))


class Column(StageOut):
    """A stage with its topmost deals; `next_cursor` leads to more of them in /stages/{id}/deals."""

    deals: list[DealOut]
    next_cursor: str | None
    count: int
    values: list[MoneyValue]
    """What all its deals come to, by currency."""


class Board(Shown):
    """A pipeline's stages side by side."""

    pipeline_id: UUID
    name: str
    columns: list[Column]


class StageForecast(Shown):
    """What the open deals of a stage may bring."""

    stage_id: UUID
    name: str
    count: int
    values: list[MoneyValue]
    weighted: list[MoneyValue]
    """Each deal by how likely it is."""


class Forecast(Shown):
    """What the open deals of a pipeline may bring, by stage and in all; each currency by itself."""

    pipeline_id: UUID
    stages: list[StageForecast]
    values: list[MoneyValue]
    weighted: list[MoneyValue]


@board.get("/{pipeline_id}/board", permission="deals:read", reach="rows")
async def read_board(
    pipeline_id: UUID, tx: Tx, who: Who, limit: Annotated[int, Query(ge=1, le=100)] = 25
) -> Board:
    """Every stage that is not archived, with its topmost `limit` deals."""
    pipeline = there(await pipelines.read_pipeline(tx, who.org, pipeline_id))
    stages = await pipelines.stages_of(tx, who.org, pipeline_id)
    found: dict[UUID, list[DealOut]] = {}
    for deal in await store.top(tx, who.org, pipeline_id, limit + 1):
        found.setdefault(deal.stage_id, []).append(DealOut.model_validate(deal))
    counts: dict[UUID, int] = {}
    values: dict[UUID, list[MoneyValue]] = {}
    for row in await store.sums(tx, who.org, pipeline_id):
        stage_id = row["stage_id"]
        counts[stage_id] = counts.get(stage_id, 0) + row["deals"]
        if row["currency"]:
            total = MoneyValue(amount_minor=row["total"], currency=row["currency"])
            values.setdefault(stage_id, []).append(total)
    columns = []
    for stage in stages:
        if stage.archived:
            continue
        first = page(found.get(stage.id, []), limit, key=lambda deal: (deal.rank, deal.id))
        columns.append(
            Column(
                **StageOut.model_validate(stage).model_dump(),
                deals=first.items,
                next_cursor=first.next_cursor,
                count=counts.get(stage.id, 0),
                values=values.get(stage.id, []),
            )
        )
    return Board(pipeline_id=pipeline.id, name=pipeline.name, columns=columns)


@board.get("/{pipeline_id}/stages/{stage_id}/deals", permission="deals:read", reach="rows")
async def read_column(pipeline_id: UUID, stage_id: UUID, tx: Tx, who: Who, query: PageQuery) -> Page[DealOut]:
    """The deals of one stage in the board's order, and in no other: it is what people have laid them out in."""
    there(await pipelines.read_pipeline(tx, who.org, pipeline_id))
    after = query.after(str, UUID)
    found = await store.column(
        tx, who.org, stage_id, (after[0], after[1]) if after else FIRST, query.limit + 1
    )
    shown = [DealOut.model_validate(deal) for deal in found if deal.pipeline_id == pipeline_id]
    return page(shown, query.limit, key=lambda deal: (deal.rank, deal.id))


@board.get("/{pipeline_id}/forecast", permission="deals:read", reach="rows")
async def read_forecast(
    pipeline_id: UUID, tx: Tx, who: Who, owner_id: UUID | None = None, closing_until: date | None = None
) -> Forecast:
    """What the open deals may bring: of one owner, or expected to close until a day."""
    there(await pipelines.read_pipeline(tx, who.org, pipeline_id))
    rows = await store.forecast(tx, who.org, pipeline_id, owner_id, closing_until)
    stages = []
    totals: dict[str, dict[str, int]] = {"total": {}, "weighted": {}}
    for stage in await pipelines.stages_of(tx, who.org, pipeline_id):
        own = [row for row in rows if row["stage_id"] == stage.id]
        sums = {kind: {row["currency"]: row[kind] for row in own if row["currency"]} for kind in totals}
        for kind, by_currency in sums.items():
            for currency, amount in by_currency.items():
                totals[kind][currency] = totals[kind].get(currency, 0) + amount
        if stage.kind == "open":
            count = sum(row["deals"] for row in own)
            values, weighted = _money(sums["total"]), _money(sums["weighted"])
            stages.append(
                StageForecast(
                    stage_id=stage.id, name=stage.name, count=count, values=values, weighted=weighted
                )
            )
    return Forecast(
        pipeline_id=pipeline_id,
        stages=stages,
        values=_money(totals["total"]),
        weighted=_money(totals["weighted"]),
    )


def _money(by_currency: dict[str, int]) -> list[MoneyValue]:
    return [
        MoneyValue(amount_minor=amount, currency=currency) for currency, amount in sorted(by_currency.items())
    ]

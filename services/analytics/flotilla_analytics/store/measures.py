"""SQL of the metrics that people define, and of goals."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

_METRIC: Final = "id, sequence, name, title, unit, aggregation, created_at"
_OF_GOAL: Final = "name, measure, filters, target, granularity, begins_on, owner_id, created_at"
_GOAL: Final = f"organization_id, id, sequence, {_OF_GOAL}"

INSERT_METRIC: Final = f"""
INSERT INTO custom_metrics (organization_id, id, name, title, unit, aggregation) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (organization_id, name) DO NOTHING RETURNING {_METRIC}"""  # noqa: S608
READ_METRIC: Final = f"SELECT {_METRIC} FROM custom_metrics WHERE organization_id = $1 AND id = $2"  # noqa: S608
METRIC_NAMED: Final = f"SELECT {_METRIC} FROM custom_metrics WHERE organization_id = $1 AND name = $2"  # noqa: S608
LIST_METRICS: Final = f"SELECT {_METRIC} FROM custom_metrics"  # noqa: S608
COUNT_METRICS: Final = "SELECT count(*) FROM custom_metrics WHERE organization_id = $1"
UPDATE_METRIC: Final = f"""
UPDATE custom_metrics SET sequence = sequence + 1, title = $3, unit = $4
WHERE organization_id = $1 AND id = $2 RETURNING {_METRIC}"""  # noqa: S608
COUNT_UP_METRIC: Final = """
UPDATE custom_metrics SET sequence = sequence + $3 WHERE organization_id = $1 AND id = $2 RETURNING sequence"""

# The points that were not known, their days' sums in the same statement.
ADD_POINTS: Final = """
WITH fresh AS (
    INSERT INTO metric_points (organization_id, metric_id, id, at, value)
    SELECT $1, $2, * FROM unnest($4::text[], $5::timestamptz[], $6::numeric[])
    ON CONFLICT (organization_id, metric_id, id) DO NOTHING RETURNING id, at, value
), summed AS (
    INSERT INTO metric_days (organization_id, metric, day, count, total)
    SELECT $1, $3, (at AT TIME ZONE 'UTC')::date, count(*), sum(value) FROM fresh GROUP BY 3 ORDER BY 3
    ON CONFLICT (organization_id, metric, day) DO UPDATE
    SET count = metric_days.count + excluded.count, total = metric_days.total + excluded.total)
SELECT id, at, value FROM fresh ORDER BY at, id"""

INSERT_GOAL: Final = f"""
INSERT INTO goals (organization_id, id, name, measure, filters, target, granularity, begins_on, owner_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_GOAL}"""  # noqa: S608
READ_GOAL: Final = f"SELECT {_GOAL} FROM goals WHERE organization_id = $1 AND id = $2"  # noqa: S608
LIST_GOALS: Final = f"SELECT {_GOAL} FROM goals"  # noqa: S608
COUNT_GOALS: Final = "SELECT count(*) FROM goals WHERE organization_id = $1"
ALL_GOALS: Final = f"SELECT {_GOAL} FROM goals WHERE organization_id = $1 ORDER BY id FOR UPDATE"  # noqa: S608
UPDATE_GOAL: Final = f"""
UPDATE goals SET sequence = sequence + 1, name = $3, target = $4
WHERE organization_id = $1 AND id = $2 RETURNING {_GOAL}"""  # noqa: S608
DELETE_GOAL: Final = "DELETE FROM goals WHERE organization_id = $1 AND id = $2"
WITH_GOALS: Final = """
SELECT DISTINCT organization_id FROM goals WHERE organization_id = ANY($1)"""
REACH: Final = """
INSERT INTO goal_reaches (organization_id, goal_id, period_from, value) VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, goal_id, period_from) DO NOTHING RETURNING reached_at"""
COUNT_UP_GOAL: Final = """
UPDATE goals SET sequence = sequence + 1 WHERE organization_id = $1 AND id = $2 RETURNING sequence"""
REACHES: Final = """
SELECT period_from, value, reached_at FROM goal_reaches WHERE organization_id = $1 AND goal_id = $2
ORDER BY period_from DESC LIMIT $3"""
TODAY: Final = "SELECT (now() AT TIME ZONE 'UTC')::date"


async def add_metric(tx: Transaction, org: UUID, metric_id: UUID, fields: Sequence[str]) -> Row | None:
    """Define one by (name, title, unit, aggregation); None where the name is taken."""
    return await tx.fetchrow(INSERT_METRIC, org, metric_id, *fields)


async def read_metric(tx: Transaction, org: UUID, metric_id: UUID, *, lock: bool = False) -> Row | None:
    """One; held until the commit with `lock`."""
    return await tx.fetchrow(READ_METRIC + " FOR UPDATE" * lock, org, metric_id)


async def metric_named(tx: Transaction, org: UUID, name: str) -> Row | None:
    """The one with this name."""
    return await tx.fetchrow(METRIC_NAMED, org, name)


async def list_metrics(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """All in this order (few enough for any), those after the one with the key `after`."""
    return await order.read(tx, LIST_METRICS, Where(org), after, limit)


async def count_metrics(tx: Transaction, org: UUID) -> int:
    """How many there are."""
    return int(await tx.fetchval(COUNT_METRICS, org))


async def save_metric(tx: Transaction, org: UUID, metric_id: UUID, title: str, unit: str) -> Row:
    """Change what it is called."""
    row = await tx.fetchrow(UPDATE_METRIC, org, metric_id, title, unit)
    assert row is not None
    return row


async def add_points(
    tx: Transaction, org: UUID, metric: Row, points: Sequence[tuple[str, datetime, Decimal]]
) -> list[Row]:
    """Keep (id, time, value) of those not known yet: these. The caller holds the metric."""
    ids, times, values = (list(column) for column in zip(*points, strict=True))
    return await tx.fetch(ADD_POINTS, org, metric["id"], metric["name"], ids, times, values)


async def count_up_metric(tx: Transaction, org: UUID, metric_id: UUID, events: int) -> int:
    """Make room for so many events: the sequence of the last."""
    return int(await tx.fetchval(COUNT_UP_METRIC, org, metric_id, events))


async def add_goal(tx: Transaction, org: UUID, goal_id: UUID, fields: Sequence[Any]) -> Row:
    """Set one by (name, measure, filters, target, granularity, begins_on, owner_id)."""
    row = await tx.fetchrow(INSERT_GOAL, org, goal_id, *fields)
    assert row is not None
    return row


async def read_goal(tx: Transaction, org: UUID, goal_id: UUID, *, lock: bool = False) -> Row | None:
    """One; held until the commit with `lock`."""
    return await tx.fetchrow(READ_GOAL + " FOR UPDATE" * lock, org, goal_id)


async def list_goals(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """All in this order (few enough for any), those after the one with the key `after`."""
    return await order.read(tx, LIST_GOALS, Where(org), after, limit)


async def count_goals(tx: Transaction, org: UUID) -> int:
    """How many there are."""
    return int(await tx.fetchval(COUNT_GOALS, org))


async def hold_goals(tx: Transaction, org: UUID) -> list[Row]:
    """All of an organization, held until the commit."""
    return await tx.fetch(ALL_GOALS, org)


async def save_goal(tx: Transaction, org: UUID, goal_id: UUID, name: str, target: Decimal) -> Row:
    """Change what it is called or how far it is."""
    row = await tx.fetchrow(UPDATE_GOAL, org, goal_id, name, target)
    assert row is not None
    return row


async def delete_goal(tx: Transaction, org: UUID, goal_id: UUID) -> None:
    """Give it up."""
    await tx.execute(DELETE_GOAL, org, goal_id)


async def with_goals(tx: Transaction, orgs: Collection[UUID]) -> list[UUID]:
    """Which of these organizations have goals."""
    return [row["organization_id"] for row in await tx.fetch(WITH_GOALS, list(orgs))]


async def reach(
    tx: Transaction, org: UUID, goal_id: UUID, period: date, value: Decimal
) -> tuple[datetime, int] | None:
    """Note that a goal was reached in a period: when, and the sequence of telling it; None where it was before."""
    at = await tx.fetchval(REACH, org, goal_id, period, value)
    return None if at is None else (at, await tx.fetchval(COUNT_UP_GOAL, org, goal_id))


async def reaches(tx: Transaction, org: UUID, goal_id: UUID, limit: int) -> list[Row]:
    """The periods in which it was reached, the latest first."""
    return await tx.fetch(REACHES, org, goal_id, limit)


async def today(tx: Transaction) -> date:
    """The database's day, UTC."""
    found: date = await tx.fetchval(TODAY)
    return found

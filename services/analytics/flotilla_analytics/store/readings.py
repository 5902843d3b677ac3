"""SQL that answers questions from the roll-ups; the archive is not asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.domain.periods import Granularity

PERIOD: Final = "period"
"""The column that holds the first day of each part."""

_SUMS: Final = "sum(count)::bigint AS count, sum(sum_ms)::bigint AS sum_ms, sum(amount) AS amount"
_GROUPED: Final = f"""
SELECT {{keys}} {_SUMS}, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(count ORDER BY bucket) AS counts
FROM (SELECT {{exact}} bucket, {_SUMS} FROM {{table}}
      WHERE organization_id = $1 AND metric = $2 AND day >= $3 AND day < $4 AND count <> 0 {{conditions}}
      GROUP BY {{inner}} bucket) AS cells
WHERE count <> 0 {{outer}} LIMIT $5"""  # noqa: S608

TABLES: Final[dict[str, str]] = {
    "sales": "sales_rollups",
    "service": "(SELECT *, 0::numeric AS amount FROM rollups) AS rollups",
    "custom": (
        "(SELECT organization_id, metric, day, -1 AS bucket, count, 0 AS sum_ms, total AS amount FROM metric_days)"
        " AS points"
    ),
    "asked": (
        "(SELECT organization_id, kind AS metric, day, survey_id, score AS bucket, count, 0 AS sum_ms, 0 AS amount"
        " FROM survey_days) AS asked"
    ),
    "surveys": (
        "(SELECT organization_id, kind AS metric, day, survey_id, channel, agent_id, score AS bucket, count,"
        " 0 AS sum_ms, score * count AS amount FROM survey_days WHERE score >= 0) AS answers"
    ),
}
_PERIODS: Final = {
    Granularity.ALL: "NULL::date",
    Granularity.DAY: "day",
    **{
        each: f"date_trunc('{each}', day)::date"
        for each in (Granularity.WEEK, Granularity.MONTH, Granularity.QUARTER, Granularity.YEAR)
    },
}


@dataclass(frozen=True, slots=True)
class Question:
    """Which numbers are wanted. Columns are checked by the caller against a fixed list."""

    metric: str
    day_from: date
    """Inclusive."""
    day_to: date
    """Exclusive."""
    granularity: Granularity = Granularity.ALL
    keys: tuple[str, ...] = ()
    """Columns to tell apart by; `period` is always one."""
    filters: Mapping[str, object] = field(default_factory=dict)
    """Column → the only value wanted."""
    table: str = "sales"


async def read_groups(tx: Transaction, org: UUID, question: Question, limit: int) -> list[Row]:
    """The sums of each group, by period and keys, with the buckets of its durations; at most `limit`."""
    columns = "".join(f"{key}, " for key in question.keys)
    listed = ", ".join((PERIOD, *question.keys))
    conditions = "".join(f" AND {column} = ${place}" for place, column in enumerate(question.filters, 6))
    sql = _GROUPED.format(
        keys=f"{PERIOD}, {columns}",
        exact=f"{_PERIODS[question.granularity]} AS {PERIOD}, {columns}",
        inner=f"1, {columns}",
        table=TABLES[question.table],
        conditions=conditions,
        outer=f"GROUP BY {listed} ORDER BY {listed}",
    )
    values = question.filters.values()
    return await tx.fetch(sql, org, question.metric, question.day_from, question.day_to, limit, *values)

"""Goals, judged whenever numbers moved: each is told once a period."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.events.analytics import GoalReached
from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.asking import Figure, Wanted, ask, measure_named
from flotilla_analytics.domain.periods import Granularity, begin_of, end_of
from flotilla_analytics.store import measures as store

JUDGE_GOALS: Final = "judge_goals"
SOON: Final = timedelta(seconds=1)
"""Numbers that move meanwhile are judged together."""
AUDIENCE: Final = "org"


class JudgePayload(msgspec.Struct, frozen=True):
    """Nothing: all goals of the organization are judged."""


async def numbers_moved(tx: Transaction, orgs: Collection[UUID]) -> None:
    """Have the goals of these organizations judged soon; a judgement that is due already will see this too.

    One that is under way has taken its row away: this waits for its end, and then asks for another.
    """
    for org in await store.with_goals(tx, orgs):
        due_at = datetime.now(UTC) + SOON
        cause = Cause.fresh("service:analytics")
        tx.enqueue(JUDGE_GOALS, str(org), JudgePayload(), org=org, cause=cause, due_at=due_at)


def goal_set(tx: Transaction, org: UUID, goal: Row) -> None:
    """Have a goal that the transaction holds judged.

    Under a key of its own: a judgement that is under way waits for the goal, so this must not wait for it.
    """
    key = f"{org}:{goal['id']}:{goal['sequence']}"
    tx.enqueue(JUDGE_GOALS, key, JudgePayload(), org=org, cause=Cause.fresh("service:analytics"))


async def figure_of(tx: Transaction, goal: Row, day_from: date, day_to: date) -> list[Figure]:
    """The goal's number in each of its periods between two days; none where its metric is no more."""
    org = goal["organization_id"]
    measure = await measure_named(tx, org, goal["measure"])
    if measure is None:
        return []
    granularity = Granularity(goal["granularity"])
    return await ask(tx, org, Wanted(measure, day_from, day_to, granularity, (), goal["filters"]), 100)


async def _judge(tx: Transaction, job: Job) -> None:
    """Look at this period and the one before, for which something may have come late."""
    today = await store.today(tx)
    for goal in await store.hold_goals(tx, job.org):
        granularity = Granularity(goal["granularity"])
        begin = begin_of(today, granularity)
        earlier = begin_of(begin - timedelta(days=1), granularity)
        first = max(earlier, begin_of(goal["begins_on"], granularity))
        for figure in await figure_of(tx, goal, first, end_of(today, granularity)):
            if figure.value is not None and figure.value >= goal["target"]:
                await _reached(tx, goal, figure)


async def _reached(tx: Transaction, goal: Row, figure: Figure) -> None:
    org, period = goal["organization_id"], figure.period
    assert period is not None
    assert figure.value is not None
    noted = await store.reach(tx, org, goal["id"], period, figure.value)
    if noted is None:
        return
    reached_at, sequence = noted
    fact = GoalReached(
        goal_id=goal["id"],
        name=goal["name"],
        measure=goal["measure"],
        owner_id=goal["owner_id"],
        target=f"{goal['target']:f}",
        value=f"{figure.value:f}",
        period_from=period,
        period_to=end_of(period, Granularity(goal["granularity"])),
        reached_at=reached_at,
    )
    tx.emit(fact, org=org, sequence=sequence, audience=AUDIENCE)


judge_goals = TimerKind(JUDGE_GOALS, JudgePayload, _judge)

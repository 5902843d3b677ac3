"""Steps of rules' runs that come due at one moment, beside others of the same organization that wait for later."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.bus.timers import TimerLoop
from flotilla.ids import new_id
from flotilla.testing.bills import charged, watch
from flotilla_automation.own import LANE
from flotilla_automation.steps import step_due

from bench.scale.meter import CONNECTIONS, Meter, show
from bench.scale.organizations import BATCH, received

DUE: Final = 500
TIMES: Final = 5
WAIT: Final[dict[str, Any]] = {"type": "wait", "seconds": 3600}
COME_DUE: Final = """
UPDATE jobs SET due_at = now()
WHERE id IN (SELECT id FROM jobs WHERE organization_id = $1 AND kind = $2 ORDER BY due_at DESC, id DESC LIMIT $3)"""


async def grow(sizes: Sequence[int]) -> None:
    """In automation: a wait is over, and the next one begins. That they come due is a statement of it, for all."""
    rows: list[list[str]] = []
    async with Meter.of("automation", runs_a_minute=1_000_000) as meter:
        await watch(meter.app.db.pool, CONNECTIONS)
        for size in sizes:
            org = new_id()
            await _begin(meter, org, size + DUE)
            await meter.settle_statistics()

            async def step(org: UUID = org) -> None:
                await _step(meter, org)

            with charged() as bill:
                await step()
            cost = (await meter.cost(step, TIMES)).per(DUE)
            each = [f"{cost.ms / DUE:.2f}", *cost.cells()[1:]]
            rows.append([f"{size:,}", f"{bill.statements.total() / DUE:.2f}", *each])
    show(f"A step, where {DUE} come due together", ("waiting beside", "statements"), rows)


async def _begin(meter: Meter, org: UUID, count: int) -> None:
    rule = {"name": "Later", "enabled": True, "trigger": "message.received.v1", "actions": [WAIT] * 20}
    answer = await meter.harness.client(org).post("/v1/rules", rule)
    assert answer.status == 201, answer.body[:300]
    while count:
        now = min(BATCH, count)
        await meter.handle(LANE, [(org, received()) for _ in range(now)])
        count -= now


async def _step(meter: Meter, org: UUID) -> None:
    """The newest come due, and are done until nothing is."""
    await meter.app.db.execute(COME_DUE, org, step_due.kind, DUE)
    loop, done = TimerLoop(meter.app, step_due), 0
    while fired := await loop.turn():
        done += fired
    assert done == DUE, done

"""An archive that grows: what is appended, sealed, folded, verified, asked for, and read again."""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from flotilla.ids import new_id
from flotilla.replay.wire import Filter
from flotilla_analytics.replaying.stretches import Reading, next_stretch
from flotilla_analytics.verification import Report, verify
from flotilla_analytics.workers.metrics import fold_next
from flotilla_analytics.workers.sealer import seal_next

from bench.scale.filling import fill
from bench.scale.meter import Cost, Meter, show
from bench.scale.organizations import received

BATCH: Final = 200
TIMES: Final = 10
ORGANIZATIONS: Final = 10
EVENTS: Final = "/v1/archive/events?limit=50"
WHOLLY: Final = 2_000_000
"""Of more events only as many are verified, the last ones: the first ones cost the same."""
HEAD_BEFORE: Final = (
    "SELECT position_to, hash FROM blocks WHERE position_to <= $1 ORDER BY position_to DESC LIMIT 1"
)
Row = tuple[str, Cost]


async def grow(sizes: Sequence[int]) -> None:
    """Filled in bulk, in the archive's own form; measured through its own writers, workers, routes and readings."""
    title = f"An archive grows ({ORGANIZATIONS} organizations, batches of {BATCH})"
    async with Meter.of("analytics") as meter:
        orgs, small = [new_id() for _ in range(ORGANIZATIONS)], new_id()
        await meter.handle("archive", [(small, received()) for _ in range(BATCH)])
        await seal_next(meter.app.db)
        for size in sizes:
            began = time.monotonic()
            await fill(meter.harness.instance.admin_dsn(), orgs, await _head(meter), size)
            await meter.settle_statistics()
            print(f"{size:,} events are there after {time.monotonic() - began:,.0f} s", flush=True)
            for measure in (_written, _asked, _read_again, _verified):
                rows = [
                    [f"{size:,}", what, *cost.cells()] for what, cost in await measure(meter, orgs, small)
                ]
                show(title, ("events", "what"), rows)  # at once: the next may take long


async def verify_wholly(sizes: Sequence[int]) -> None:
    """`flotilla archive verify` from the first event to the last, and nothing else."""
    async with Meter.of("analytics") as meter:
        orgs = [new_id() for _ in range(ORGANIZATIONS)]
        await meter.handle("archive", [(orgs[0], received()) for _ in range(BATCH)])
        await seal_next(meter.app.db)
        for size in sizes:
            began = time.monotonic()
            await fill(meter.harness.instance.admin_dsn(), orgs, await _head(meter), size)
            await meter.settle_statistics()
            print(f"{size:,} events are there after {time.monotonic() - began:,.0f} s", flush=True)
            reports: list[Report] = []

            async def check(kept: list[Report] = reports) -> None:
                kept.append(await verify(meter.app.db))

            whole = await meter.cost(check, 1, warm=False)
            report = reports[0]
            assert report.holds, report.findings[:3]
            assert report.head == report.events == await _head(meter)
            rows = [
                [f"{size:,}", "all of them, to the end", *whole.cells()],
                [f"{size:,}", "an event", *whole.per(report.events).cells()],
            ]
            show("An archive is verified", ("events", "what"), rows)


async def _head(meter: Meter) -> int:
    return int(await meter.app.db.fetchval("SELECT max(position) FROM ledger"))


async def _written(meter: Meter, orgs: Sequence[UUID], _: UUID) -> list[Row]:
    async def append() -> None:
        await meter.handle("archive", [(orgs[each % len(orgs)], received()) for each in range(BATCH)])

    db = meter.app.db
    return [
        ("an event appended", (await meter.cost(append, TIMES)).per(BATCH)),
        ("an event sealed", (await meter.cost(lambda: seal_next(db, BATCH), TIMES - 1)).per(BATCH)),
        ("an event folded", (await meter.cost(lambda: fold_next(db, BATCH), TIMES - 1)).per(BATCH)),
    ]


async def _asked(meter: Meter, orgs: Sequence[UUID], _: UUID) -> list[Row]:
    org = orgs[0]

    def getting(path: str) -> Callable[[], Awaitable[object]]:
        return lambda: meter.get(org, path)

    half_a_month_ago = f"{datetime.now(UTC) - timedelta(days=15):%Y-%m-%dT%H:%M:%SZ}"
    old = (await meter.get(org, f"{EVENTS}&to={half_a_month_ago}"))["items"][0]["actor"]
    asked = {
        "newest page": EVENTS,
        "page in the middle": f"{EVENTS}&to={half_a_month_ago}",
        "newest of an actor": f"{EVENTS}&actor={old}",
        "of an actor, in the middle": f"{EVENTS}&actor={old}&to={half_a_month_ago}",
        "of an actor who is not there": f"{EVENTS}&actor=user:{new_id()}",
        "dashboard's metrics": _metrics(),
    }
    return [(what, await meter.cost(getting(path), TIMES)) for what, path in asked.items()]


async def _read_again(meter: Meter, orgs: Sequence[UUID], small: UUID) -> list[Row]:
    """What replays and partners' readings ask for."""
    middle = await _head(meter) // 2

    async def stretch(reading: Reading, after: int = 0) -> int:
        found = await next_stretch(meter.app, reading, after)
        return found.upto if found is not None else 0

    async def whole(reading: Reading) -> None:
        after = 0
        while upto := await stretch(reading, after):
            after = upto

    of_all, of_one, of_small = _reading(), _reading(orgs[0]), _reading(small)
    return [
        (
            "an event read again, of all",
            (await meter.cost(lambda: stretch(of_all, middle), TIMES)).per(BATCH),
        ),
        (
            "an event read again, of one",
            (await meter.cost(lambda: stretch(of_one, middle), TIMES)).per(BATCH),
        ),
        (f"an organization's {BATCH}, all of them", await meter.cost(lambda: whole(of_small), 1, warm=False)),
    ]


def _reading(*orgs: UUID) -> Reading:
    return Reading(id=new_id(), request_id=new_id(), queue="", filter=Filter(organizations=list(orgs)))


async def _verified(meter: Meter, _: Sequence[UUID], __: UUID) -> list[Row]:
    """Once: what each event read costs, and the search for what has no place in the ledger."""
    db = meter.app.db
    before = await db.fetchrow(HEAD_BEFORE, await _head(meter) - WHOLLY)
    head = await db.fetchrow(HEAD_BEFORE, await _head(meter))
    events = 0

    async def check(since: Any) -> None:
        nonlocal events
        report = await verify(db, since=since and tuple(since))
        assert report.holds, report.findings[:3]
        events = report.events

    unlisted = await meter.cost(lambda: check(head), 1, warm=False)
    whole = await meter.cost(lambda: check(before), 1, warm=False)
    return [("an event verified", whole.per(events)), ("unlisted events looked for", unlisted)]


def _metrics() -> str:
    today = datetime.now(UTC).date()
    days = f"from={today - timedelta(days=30)}&to={today + timedelta(days=1)}"
    return f"/v1/analytics/metrics?metric=message_volume&{days}"

"""More processes of the services that messages pass: the same load, and what each adds or takes away."""

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench import day
from bench.fleet.outcome import BESIDE, Day

RATE = 100.0
SECONDS = 20.0
ORGANIZATIONS = 10
SOCKETS = 50


async def grow(sizes: Sequence[int]) -> None:
    """A day's work with so many of each of messaging, crm and ai."""
    title = f"Replicas of {', '.join(day.REPLICATED)} at {RATE:.0f} messages a second"
    columns = (
        "replicas",
        "sent/s",
        "p50 ms",
        "p99 ms",
        "fleet ms a message",
        *day.REPLICATED,
        "postgres",
        "rabbitmq",
    )
    table = Table(*columns, "statements", "deliveries a batch (messaging)", title=title, box=None)
    console = Console(width=150)
    for size in sizes:
        options = argparse.Namespace(
            rate=RATE,
            seconds=SECONDS,
            orgs=ORGANIZATIONS,
            sockets=SOCKETS,
            conversation=20,
            at_once=day.AT_ONCE,
            replicas=size,
            catch_up=day.CATCH_UP_SECONDS,
            profile=False,
        )
        done = await day.measured(options)
        table.add_row(str(size), *_cells(done))
        console.print(table)  # at once: the next one takes a minute
        console.print(f"not as promised, of {size}: {'; '.join(done.faults()) or 'nothing'}")


def _cells(done: Day) -> list[str]:
    tally, used = done.tally, done.used
    messages = max(tally.accepted, 1)
    fleet = sum(seconds for name, seconds in used.cpu.items() if name not in BESIDE)
    parts = [used.cpu[name] for name in (*day.REPLICATED, "postgres", "rabbitmq")]
    asked = used.asked["messaging"]
    return [
        f"{tally.accepted / tally.sending_seconds:.0f}",
        *(f"{done.percentile(percent) * 1000:,.0f}" for percent in (50, 99)),
        *(f"{seconds / messages * 1000:.2f}" for seconds in (fleet, *parts)),
        f"{sum(each['statements'] for each in used.asked.values()) / messages:.2f}",
        f"{asked['deliveries'] / max(asked['batches'], 1):.1f}",
    ]

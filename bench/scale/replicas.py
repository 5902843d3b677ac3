"""More processes of the services that messages pass: the same load, and what each adds or takes away."""

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench import day

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
    for size in sizes:
        options = argparse.Namespace(
            rate=RATE,
            seconds=SECONDS,
            orgs=ORGANIZATIONS,
            sockets=SOCKETS,
            conversation=20,
            replicas=size,
            profile=False,
        )
        done = await day.measured(options)
        table.add_row(str(size), *_cells(done))
        Console(width=150).print(table)  # at once: the next one takes a minute


def _cells(done: day.Day) -> list[str]:
    tally, used = done.tally, done.used
    messages = max(tally.accepted, 1)
    latencies = sorted(tally.latencies)
    fleet = sum(seconds for name, seconds in used.cpu.items() if name not in day.BESIDE)
    parts = [used.cpu[name] for name in (*day.REPLICATED, "postgres", "rabbitmq")]
    asked = used.asked["messaging"]
    return [
        f"{tally.accepted / tally.sending_seconds:.0f}",
        *(f"{latencies[int(len(latencies) * share)] * 1000:,.0f}" for share in (0.5, 0.99)),
        *(f"{seconds / messages * 1000:.2f}" for seconds in (fleet, *parts)),
        f"{sum(each['statements'] for each in used.asked.values()) / messages:.2f}",
        f"{asked['deliveries'] / max(asked['batches'], 1):.1f}",
    ]

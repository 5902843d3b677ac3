"""The tables of a day's work."""

from collections.abc import Collection, Mapping

from rich.console import Console
from rich.table import Table

from bench.fleet.generator import Tally
from bench.fleet.spent import COUNTED, Spent


def show(tally: Tally, counts: Mapping[str, int], used: Spent, beside: Collection[str]) -> None:
    """What came of it and what it cost; `beside` are processes that are no part of the fleet."""
    messages = max(tally.accepted, 1)
    console = Console(width=110)
    tables = (
        _outcome(tally, counts),
        _cpu(used, messages, beside),
        _asked(used, messages),
        _written(used, messages),
    )
    for table in tables:
        console.print(table)


def _outcome(tally: Tally, counts: Mapping[str, int]) -> Table:
    latencies = sorted(tally.latencies) or [0.0]
    doubled = tally.doubled + counts["drafts"] - counts["drafted"]
    rows = {
        "sent and answered 200": f"{tally.accepted:,} ({tally.accepted / tally.sending_seconds:,.0f}/s)",
        "refused": ", ".join(f"{number} × {status}" for status, number in tally.refused.items()) or "0",
        "stored": f"{counts['stored']:,}",
        "drafted": f"{counts['drafted']:,}",
        "drafts approved, answered": f"{tally.approved:,}, {counts['answered']:,}",
        "pushed": f"{tally.pushed:,}",
        "lost": f"{tally.lost + tally.accepted - counts['stored']:,}",
        "doubled": f"{doubled:,}",
        "parked": f"{counts['parked']:,}",
        "webhook → WebSocket p50": f"{latencies[len(latencies) // 2] * 1000:,.0f} ms",
        "webhook → WebSocket p99": f"{latencies[int(len(latencies) * 0.99)] * 1000:,.0f} ms",
        "generator late by at most": f"{tally.late_seconds * 1000:,.0f} ms",
    }
    table = Table(box=None, show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _cpu(used: Spent, messages: int, beside: Collection[str]) -> Table:
    table = Table("process", "CPU s", "ms a message", "share", box=None)
    everything = max(sum(used.cpu.values()), 1e-9)
    for name, seconds in sorted(used.cpu.items(), key=lambda item: -item[1]):
        share = f"{seconds / everything:.1%}"
        table.add_row(name, f"{seconds:.1f}", f"{seconds / messages * 1000:.2f}", share)
    fleet = sum(seconds for name, seconds in used.cpu.items() if name not in beside)
    table.add_row("the fleet and its servers", f"{fleet:.1f}", f"{fleet / messages * 1000:.2f}", "")
    return table


def _asked(used: Spent, messages: int) -> Table:
    """A message's part of it; `deliveries a batch` says how well batches filled."""
    table = Table("a message's", *COUNTED, "deliveries a batch", box=None)
    ordered = sorted(used.asked.items(), key=lambda item: -item[1]["statements"])
    for name, counts in ordered:
        filled = counts["deliveries"] / counts["batches"] if counts["batches"] else 0.0
        table.add_row(name, *(f"{counts[each] / messages:.2f}" for each in COUNTED), f"{filled:.1f}")
    sums = {each: sum(counts[each] for _, counts in ordered) for each in COUNTED}
    table.add_row("all", *(f"{value / messages:.2f}" for value in sums.values()), "")
    return table


def _written(used: Spent, messages: int) -> Table:
    """What a message is to Postgres."""
    table = Table("a message in Postgres", *used.written, box=None)
    table.add_row("", *(f"{value / messages:,.2f}" for value in used.written.values()))
    return table

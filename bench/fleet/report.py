"""The tables of a day's work."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.fleet.outcome import BESIDE, GENERATOR, P99_SECONDS, Day, percentile
from bench.fleet.plan import Tally
from bench.fleet.seconds import compared
from bench.fleet.spent import COUNTED, Spent

WORST: Final = 20
"""Seconds that are named."""


def show(day: Day) -> None:
    """What came of it and what it cost, all that follows of a message included."""
    messages = max(day.tally.accepted, 1)
    console = Console(width=120)
    tables = (
        _outcome(day),
        _cpu(day, messages),
        _by_lateness(day),
        _asked(day.used, messages),
        _written(day.used, messages),
    )
    for table in tables:
        console.print(table)
    console.print("not as promised: " + ("; ".join(day.faults()) or "nothing"))


def _outcome(day: Day) -> Table:
    tally, counts = day.tally, day.counts
    offered = counts["drafts"] - counts["superseded"] - counts["failed"]
    rows = {
        "sent and answered 200": f"{tally.accepted:,} ({tally.accepted / tally.sending_seconds:,.0f}/s)",
        "refused": _by_status(tally.refused),
        "stored, analyzed": f"{counts['stored']:,}, {counts['analyzed']:,}",
        "drafts": f"{counts['drafts']:,}: {offered:,} stand, {counts['superseded']:,} ended by a newer message, "
        f"{counts['failed']:,} not made",
        "approved": f"{tally.approved:,} (refused: {_by_status(tally.not_approved)}), {counts['approved']:,} stored",
        "answered, taken by Telegram": f"{counts['answered']:,}, {day.taken:,}",
        "pushed to the first sockets": f"{tally.pushed:,}",
        "events on all sockets": f"{tally.events:,}",
        "lost": _counts(day.lost),
        "doubled": _counts(day.doubled),
        "all done after the last post": "no" if day.caught_up_in is None else f"{day.caught_up_in:,.0f} s",
        "webhook → WebSocket p50, p99": f"{day.percentile(50) * 1000:,.0f}, {day.percentile(99) * 1000:,.0f} ms",
        "p50, p99 by tenths of the run": _by_tenths(tally),
        f"longer than {P99_SECONDS * 1000:.0f} ms": _late(tally),
        "generator late by at most": f"{tally.late_seconds * 1000:,.0f} ms",
        "generator's share of the CPU": f"{day.share(GENERATOR):.1%}",
        "processors while loaded": _processors(day.loaded),
    }
    table = Table(box=None, show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _counts(of: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in of.items() if number) or "0"


def _by_status(of: Mapping[int, int]) -> str:
    return ", ".join(f"{number:,} × {status}" for status, number in of.items()) or "0"


def _by_tenths(tally: Tally) -> str:
    """Whether it holds, grows, or was late once."""
    tenths: list[list[float]] = [[] for _ in range(10)]
    for posted, took in tally.latencies:
        tenths[min(int(posted * 10 / tally.sending_seconds), 9)].append(took * 1000)
    return " ".join(f"{percentile(each, 50):.0f},{percentile(each, 99):.0f}" for each in tenths)


def _late(tally: Tally) -> str:
    """How many, and in which seconds of the run: the worst of them, by their time."""
    seconds = Counter(int(posted) for posted, took in tally.latencies if took > P99_SECONDS)
    worst = sorted(seconds.most_common(WORST))
    return f"{seconds.total():,} in {len(seconds)} s: " + " ".join(f"{at}:{number}" for at, number in worst)


def _processors(loaded: Spent) -> str:
    """Whether they were full, and whether the machine had them: a guest waits where its host gives them to another."""
    every = max(loaded.processors["all"], 1e-9)
    return ", ".join(f"{loaded.processors[what] / every:.1%} {what}" for what in ("idle", "stolen"))


def _cpu(day: Day, messages: int) -> Table:
    """While it was loaded, and with what was done later."""
    table = Table(
        "process", "CPU s, loaded", "ms a message", "CPU s, in all", "ms a message", "share", box=None
    )
    everything = max(sum(day.used.cpu.values()), 1e-9)
    for name, seconds in sorted(day.used.cpu.items(), key=lambda item: -item[1]):
        loaded = day.loaded.cpu.get(name, 0.0)
        table.add_row(
            name, *_each(loaded, messages), *_each(seconds, messages), f"{seconds / everything:.1%}"
        )
    sums = [
        sum(seconds for name, seconds in spent.cpu.items() if name not in BESIDE)
        for spent in (day.loaded, day.used)
    ]
    table.add_row("the fleet and its servers", *_each(sums[0], messages), *_each(sums[1], messages), "")
    return table


def _by_lateness(day: Day) -> Table:
    """Who takes more of the cores where messages are late."""
    lates = day.late
    number = sum(int(second.began) in lates for second in day.seconds)
    table = Table(
        "hundredths of a core", f"in the {number} late s", f"in {len(day.seconds) - number} others", box=None
    )
    found = compared(day.seconds, lates)
    for name in sorted(found, key=found.__getitem__, reverse=True):
        table.add_row(name, *(f"{cores * 100:.1f}" for cores in found[name]))
    return table


def _each(seconds: float, messages: int) -> tuple[str, str]:
    return f"{seconds:.1f}", f"{seconds / messages * 1000:.2f}"


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

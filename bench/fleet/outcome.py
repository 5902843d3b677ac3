"""What came of a day's work, and what of it is not as promised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.fleet.plan import Tally
from bench.fleet.seconds import Second, late
from bench.fleet.spent import Spent

GENERATOR: Final = "(generator)"
VENDOR: Final = "(telegram, simulated)"
PROFILER: Final = "(profiler)"
BESIDE: Final = frozenset({GENERATOR, VENDOR, PROFILER})
"""Processes that are no part of the fleet."""
P99_SECONDS: Final = 0.5
GENERATORS_SHARE: Final = 0.1


@dataclass(frozen=True)
class Day:
    """What came of it."""

    tally: Tally
    counts: Mapping[str, int]
    """Of `stored.COUNTS`."""
    taken: int
    """Replies that the simulated Telegram took."""
    loaded: Spent
    """From the first post until the last was answered."""
    used: Spent
    """From the first post until all that follows of them was done, or the time for that was up."""
    caught_up_in: float | None
    """Seconds from the last answer until all was done; None where the time was up before."""
    seconds: Sequence[Second]
    """While it was loaded."""

    @property
    def lost(self) -> Mapping[str, int]:
        """What is missing of what was promised, by what became of it last."""
        tally, counts = self.tally, self.counts
        return {
            "not stored": max(tally.accepted - counts["stored"], 0),
            "not pushed": tally.lost,
            "not pushed to a further socket": tally.missing,
            "not analyzed": counts["stored"] - counts["analyzed"],
            "approved, not answered": counts["approved"] - counts["answered"],
            "not published": counts["unpublished"],
            "parked": counts["parked"],
            "sockets closed": tally.closed,
            "sockets told to read again": tally.resynced,
        }

    @property
    def doubled(self) -> Mapping[str, int]:
        """What is there more than once."""
        tally, counts = self.tally, self.counts
        return {
            "stored twice": counts["twice stored"],
            "pushed twice": tally.doubled,
            "event pushed twice": tally.repeated,
            "pushed to a further socket only": tally.surplus,
            "drafted twice": counts["drafts"] - counts["drafted"],
            "replied twice": counts["replies"] - counts["replied"],
            "taken twice by Telegram": max(self.taken - counts["answered"], 0),
        }

    def percentile(self, percent: int) -> float:
        """Seconds from webhook to WebSocket."""
        return percentile([took for _, took in self.tally.latencies], percent)

    @property
    def late(self) -> set[int]:
        """Seconds of the run in which messages were late."""
        return late(self.tally.latencies, P99_SECONDS)

    def share(self, name: str) -> float:
        """Of the CPU while it was loaded."""
        return self.loaded.cpu[name] / max(sum(self.loaded.cpu.values()), 1e-9)

    def faults(self) -> list[str]:
        """What is not as promised."""
        found = [f"{number:,} {what}" for what, number in {**self.lost, **self.doubled}.items() if number]
        if self.tally.refused:
            found.append(f"posts refused: {self.tally.refused}")
        if self.caught_up_in is None:
            found.append("not all done when the time for it was up")
        if (p99 := self.percentile(99)) > P99_SECONDS:
            found.append(f"p99 {p99 * 1000:,.0f} ms")
        if (share := self.share(GENERATOR)) > GENERATORS_SHARE:
            found.append(f"the generator took {share:.0%} of the CPU")
        return found


def percentile(values: list[float], percent: int) -> float:
    """The value below which so many of a hundred are."""
    return sorted(values)[len(values) * percent // 100] if values else 0.0

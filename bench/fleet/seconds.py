"""Each second of a run: what every process took of the cores, held against the seconds in which messages were late."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from bench.fleet.spent import cpu_by_process

LATE_SHARE: Final = 0.01
"""Of the messages of a second; where more were late, that second was."""


@dataclass(frozen=True)
class Second:
    """One, from its beginning to the next's."""

    began: float
    """Since the run's beginning."""
    cores: Mapping[str, float]
    """By process; 1 is a core."""


async def noted(roots: Mapping[str, int], ended: asyncio.Event) -> list[Second]:
    """Those from now on until the end."""
    began = before_at = time.monotonic()
    before = cpu_by_process(roots)
    found: list[Second] = []
    while not ended.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), began + len(found) + 1 - time.monotonic())
        now, at = cpu_by_process(roots), time.monotonic()
        cores = {name: (spent - before.get(name, 0.0)) / (at - before_at) for name, spent in now.items()}
        found.append(Second(before_at - began, cores))
        before, before_at = now, at
    return found


def late(latencies: Sequence[tuple[float, float]], limit: float) -> set[int]:
    """Seconds of the run in which more were late than may be; `latencies`: when posted, and how long it took."""
    posted = Counter(int(at) for at, _ in latencies)
    lates = Counter(int(at) for at, took in latencies if took > limit)
    return {second for second, number in lates.items() if number > posted[second] * LATE_SHARE}


def compared(seconds: Sequence[Second], lates: set[int]) -> dict[str, tuple[float, float]]:
    """By process: its cores in late seconds, and in the others; 0 where there are none."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for second in seconds:
        for name, cores in second.cores.items():
            sums[name][int(second.began) not in lates] += cores
    number = sum(int(second.began) in lates for second in seconds)
    counts = (max(number, 1), max(len(seconds) - number, 1))
    return {name: (both[0] / counts[0], both[1] / counts[1]) for name, both in sums.items()}

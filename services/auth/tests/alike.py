"""What takes alike: from how long an answer takes, nobody learns whether somebody exists."""

from collections.abc import Awaitable, Callable
from typing import Final

ROUNDS: Final = 15
SHARE: Final = 0.5
"""What one may take longer, of what the other takes: a hash that only one makes is much more."""
LEAST: Final = 0.02
"""Seconds that it may take longer where that is less: so much a full machine makes of the same."""


async def take_alike(one: Callable[[], Awaitable[float]], other: Callable[[], Awaitable[float]]) -> bool:
    """Whether two ways take about as long, by the least seconds of each; asked in turns, so that a machine that is slow
    for a while is slow for both."""
    ones, others = [], []
    for _ in range(ROUNDS):
        ones.append(await one())
        others.append(await other())
    fastest, slowest = sorted((min(ones), min(others)))
    return slowest - fastest < max(LEAST, SHARE * fastest)

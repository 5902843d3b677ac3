"""The clock on the wall, for tests of what is counted by the hour, the day or the month."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

ROOM: Final = 30.0
"""Seconds that a test takes at most on a slow machine; in two minutes of a day's 1440 it begins a little later."""


async def same_hour(seconds: float = ROOM) -> None:
    """Return while so much is left of the hour, by UTC; where less is, with the next one.

    No hour ends within what follows, and so no day, month or year.
    """
    now = datetime.now(UTC)
    left = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1) - now
    if left.total_seconds() < seconds:
        await asyncio.sleep(left.total_seconds() + 0.1)

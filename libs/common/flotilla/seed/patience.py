"""Waiting for what follows by itself: services learn of each other's changes from events, a moment later."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from flotilla.seed.gateway import RefusedError

POLL_SECONDS: Final = 0.15
LEARNT_SECONDS: Final = 8.0

T = TypeVar("T")


async def within(seconds: float, check: Callable[[], Awaitable[T]]) -> T | None:
    """The first true answer of `check`; None where there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := await check()):
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(POLL_SECONDS)
    return found


async def once_known(make: Callable[[], Awaitable[T]], *refusals: int) -> T:
    """The answer of `make`, tried again while it is refused with one of these statuses: not known there yet."""
    deadline = time.monotonic() + LEARNT_SECONDS
    while True:
        try:
            return await make()
        except RefusedError as refused:
            if refused.status not in refusals or time.monotonic() > deadline:
                raise
        await asyncio.sleep(POLL_SECONDS)

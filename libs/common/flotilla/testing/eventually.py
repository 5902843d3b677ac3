"""Waiting for what comes about by itself, with a deadline instead of a sleep."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(check: Callable[[], Awaitable[T]], *, seconds: float = 30.0, what: str = "") -> T:
    """Call `check` until it returns something true without an AssertionError: that value.

    AssertionError after `seconds`, with what was last seen.
    """
    deadline = time.monotonic() + seconds
    seen: object = None
    while True:
        try:
            found = await check()
            if found:
                return found
            seen = found
        except AssertionError as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or check}; last seen: {seen!r}")
        await asyncio.sleep(0.02)

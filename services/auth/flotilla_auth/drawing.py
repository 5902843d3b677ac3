"""Pictures are drawn off the event loop, one at a time."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from flotilla.problems import UnavailableError

from flotilla_auth.domain import pictures

MOST_WAITING: Final = 10
"""Half a second of work usually, some seconds at worst: whoever comes then is told to come back."""


class Drawing:
    """A thread of its own: a picture that takes long holds up other pictures, and nobody who signs in."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._waiting = 0

    def close(self) -> None:
        """Let what is begun end."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def drawn(self, sent: bytes) -> bytes:
        """`pictures.drawn`; a 503 problem where too many wait already."""
        if self._waiting >= MOST_WAITING:
            raise UnavailableError("Too many pictures at this moment.", headers={"Retry-After": "5"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, pictures.drawn, sent)
        finally:
            self._waiting -= 1

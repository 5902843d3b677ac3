"""Clients that ask all the time, of any replica that answers, and write down what they were told."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import aiohttp
from flotilla.ids import new_id
from flotilla.testing import Client

from tests.chaos.history import History

PACE = 0.05
"""Seconds between two requests of one client."""
AGAIN = 0.25
"""Of the requests whose answer was lost, so many are asked again, as a caller with an idempotency key would."""
CHANGED = 0.3
"""So many parcels are changed after they were sent."""
TIME_LIMIT = aiohttp.ClientTimeout(total=5)


class Clients:
    """Several at once. `reached()` gives those that can be asked now: one person as seen by each living replica."""

    def __init__(self, reached: Callable[[], Sequence[Client]], seed: int) -> None:
        self.history = History()
        self.surprises: list[str] = []
        """Answers that are neither success nor a refusal that says when to come again."""
        self._reached = reached
        self._random = random.Random(seed)
        self._lost: list[UUID] = []

    @asynccontextmanager
    async def asking(self, number: int = 4) -> AsyncIterator["Clients"]:
        """While the block runs."""
        tasks = [asyncio.create_task(self._ask_on()) for _ in range(number)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_on(self) -> None:
        while True:
            await self._send(self._next())
            await asyncio.sleep(PACE)  # sleep: the pace of the load

    def _next(self) -> UUID:
        if self._lost and self._random.random() < AGAIN:
            return self._lost.pop(0)
        return new_id()

    async def _send(self, parcel_id: UUID) -> None:
        """Whatever is not acknowledged is unknown: a 503 may mean that the commit's answer was lost."""
        history = self.history
        history.unknown.add(parcel_id)  # before it is sent: this client may be stopped while it waits
        if await self._request("POST", parcel_id) is None:
            self._lost.append(parcel_id)
            return
        history.unknown.discard(parcel_id)
        history.acknowledged.add(parcel_id)
        history.told.setdefault(parcel_id, 1)
        if self._random.random() < CHANGED and (sequence := await self._request("PUT", parcel_id)):
            history.told[parcel_id] = max(sequence, history.told[parcel_id])

    async def _request(self, method: str, parcel_id: UUID) -> int | None:
        """The sequence it was answered with; None where there was no success."""
        clients = self._reached()
        if not clients:
            return None
        client = self._random.choice(clients)
        url = f"{client.base_url}/v1/parcels/{parcel_id}"
        try:
            async with client.session.request(
                method, url, headers=client.headers, timeout=TIME_LIMIT
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        if answer.status in (200, 201):
            return int(json.loads(body)["sequence"])
        if answer.status != 503 or "Retry-After" not in answer.headers:
            self.surprises.append(f"{method} {parcel_id}: {answer.status} {body[:300]!r}")
        return None

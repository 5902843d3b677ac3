"""Turns: a register is asked by all processes together at no more than its pace."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from flotilla.bus.declare import RetryLater
from flotilla.store.postgres import Database

from flotilla_kyb.store import paces

LONGEST_WAIT: Final = timedelta(seconds=10)
"""A job that would wait longer for its turn gives its place to others and comes back."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The turns of one register, kept in the database."""

    db: Database
    address: str
    interval: timedelta

    @property
    def _id(self) -> uuid.UUID:
        return uuid.uuid5(uuid.NAMESPACE_URL, self.address)

    async def turn(self) -> None:
        """Wait for the next turn; RetryLater where that is long."""
        wait = await self.db.fetchval(paces.TAKE, self._id, self.interval, LONGEST_WAIT)
        if wait is None:
            raise RetryLater(LONGEST_WAIT, "Others wait for this register already.")
        await asyncio.sleep(max(0.0, wait))

    async def rest(self, wait: timedelta) -> None:
        """Let nobody ask before `wait` has passed."""
        await self.db.execute(paces.REST, self._id, wait)

"""Whether what somebody did stands in the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import aiohttp
import asyncpg
from flotilla.fleet import Fleet
from flotilla.instance import HOST, Instance
from flotilla.testing import eventually

UNTOLD = "flotilla_deeds_untold_total{"
ACTS = """
SELECT time FROM analytics.archive WHERE organization_id = $1 AND actor = $2 AND time BETWEEN $3 AND $4"""


@dataclass(frozen=True)
class Deed:
    """A request that did something, and between when."""

    name: str
    began: datetime
    ended: datetime


async def untold(instance: Instance, org: UUID, user_id: UUID, deeds: Sequence[Deed]) -> list[str]:
    """Which of these, done one after the other, no event of theirs tells."""
    told: list[str] = []
    admin = await asyncpg.connect(instance.admin_dsn())
    try:

        async def missing() -> bool:
            rows = await admin.fetch(ACTS, org, f"user:{user_id}", deeds[0].began, deeds[-1].ended)
            times = [row["time"] for row in rows]
            told[:] = [deed.name for deed in deeds if any(deed.began <= at <= deed.ended for at in times)]
            return not {deed.name for deed in deeds} - set(told)

        try:
            await eventually(missing, what="what was done to be archived")
        except AssertionError:
            return sorted({deed.name for deed in deeds} - set(told))
    finally:
        await admin.close()
    return []


async def told_late(fleet: Fleet, session: aiohttp.ClientSession) -> list[str]:
    """Routes that committed what they did before they told of it, of all that were called since the fleet began."""
    found: list[str] = []
    for port in fleet.instance.service_ports.values():
        async with session.get(f"http://{HOST}:{port}/metrics") as answer:
            found += [line for line in (await answer.text()).splitlines() if line.startswith(UNTOLD)]
    return found

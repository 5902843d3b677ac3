"""Whether what somebody did stands in the audit log, with what was before and what is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
import asyncpg
from flotilla.fleet import Fleet
from flotilla.instance import HOST, Instance
from flotilla.testing import eventually
from flotilla.testing.people import Person

UNTOLD = "flotilla_deeds_untold_total{"
PERFORMED = "request.performed.v1"
ACTS = """
SELECT time FROM analytics.archive WHERE organization_id = $1 AND actor = $2 AND time BETWEEN $3 AND $4"""


@dataclass(frozen=True)
class Deed:
    """A request that did something, and between when."""

    name: str
    began: datetime
    ended: datetime

    def tells(self, act: Mapping[str, Any]) -> bool:
        """Whether this act of the audit log is of it, and has values: old and new ones, or what it was that went."""
        if not self.began <= datetime.fromisoformat(act["time"]) <= self.ended:
            return False
        is_fact = act["action"] != PERFORMED
        return bool(act["changes"]) or (is_fact and self.name.startswith("DELETE"))


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


async def without_values(owner: Person, deeds: Sequence[Deed]) -> list[str]:
    """Of which of these changes, all archived, the owner is shown no old and new values."""
    acts = await _acts(owner, deeds[0].began, deeds[-1].ended)
    return sorted(deed.name for deed in deeds if not any(map(deed.tells, acts)))


async def _acts(owner: Person, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    asked = {
        "actor": f"user:{owner.user['id']}",
        "from": begin.isoformat(),
        "to": end.isoformat(),
        "limit": 100,
    }
    found: list[dict[str, Any]] = []
    cursor = None
    while cursor or not found:
        query = urlencode(asked | ({"cursor": cursor} if cursor else {}))
        page = await owner.ok("GET", f"/v1/audit?{query}")
        found += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    return found

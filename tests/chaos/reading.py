"""Reads at the end what stands in the subject's stores, and waits until nothing moves any more."""

import asyncio
import time
from collections import Counter, defaultdict
from typing import Final
from uuid import UUID

import asyncpg
from flotilla.instance import Instance

from tests.chaos import subject
from tests.chaos.clients import Clients
from tests.chaos.history import Found, judge
from tests.chaos.vendor import Vendor

REST: Final = """
SELECT (SELECT count(*) FROM crm_bus.outbox) AS outbox, (SELECT count(*) FROM crm_bus.jobs) AS jobs,
       (SELECT count(*) FROM crm_bus.parked_events) AS parked"""
WORK: Final = """
SELECT (SELECT count(*) FROM crm_bus.outbox)
     + (SELECT count(*) FROM crm_bus.jobs WHERE due_at < now() + interval '10 seconds') AS waiting,
       (SELECT count(*) FROM crm.effects WHERE organization_id = $1)
     + (SELECT coalesce(sum(sequence), 0) FROM crm.copies WHERE organization_id = $1) AS done"""
LOOK_SECONDS: Final = 0.5
UNENDED: Final = """
SELECT kind, state, count(*) FROM crm.sagas
WHERE state <> CASE kind WHEN 'calling_off' THEN 'undone' ELSE 'done' END GROUP BY kind, state"""


async def read(connection: asyncpg.Connection, org: UUID) -> Found:
    """Everything that the subject has of an organization."""
    effects: dict[str, Counter[UUID]] = {name: Counter() for name in subject.EFFECTS}
    for row in await connection.fetch("SELECT * FROM crm.effects WHERE organization_id = $1", org):
        effects[row["name"]][row["parcel_id"]] += 1
    return Found(
        effects,
        await _sequences(connection, "parcels", org),
        {subject.COPIES[0]: await _sequences(connection, "copies", org)},
    )


async def _sequences(connection: asyncpg.Connection, table: str, org: UUID) -> dict[UUID, int]:
    query = f"SELECT id, sequence FROM crm.{table} WHERE organization_id = $1"
    return {row["id"]: row["sequence"] for row in await connection.fetch(query, org)}


async def every_promise_kept(
    instance: Instance, org: UUID, clients: Clients, vendor: Vendor, seconds: float = 120
) -> None:
    """Wait until it is so; the last verdict, where nothing has moved for so many seconds: a busy machine is slow.

    Everything is read only when little is left to do: who reads is also the vendor, whom the jobs wait for. Nothing may
    be left anywhere but on the record. The deadlines of sagas that were met are timers far in the future, and stay.
    """
    assert not clients.surprises, clients.surprises[:3]
    connection = await asyncpg.connect(instance.admin_dsn(), timeout=10)
    before, deadline = -1, 0.0
    try:
        while True:
            work = await connection.fetchrow(WORK, org)
            late = work["done"] == before and time.monotonic() > deadline
            if work["done"] != before:
                before, deadline = work["done"], time.monotonic() + seconds
            elif late or not work["waiting"]:
                try:
                    return await _kept(connection, org, clients, vendor)
                except AssertionError as error:
                    if late:
                        raise AssertionError(f"nothing moves for {seconds} s, {dict(work)}") from error
            await asyncio.sleep(LOOK_SECONDS)  # sleep: between two looks
    finally:
        await connection.close()


async def _kept(connection: asyncpg.Connection, org: UUID, clients: Clients, vendor: Vendor) -> None:
    """AssertionError with what is not as it was promised."""
    found = await read(connection, org)
    verdict = judge(clients.history, found)
    assert verdict.good, str(verdict)
    for name, counts in found.effects.items():
        assert len(counts) == len(found.owned), (name, len(counts), len(found.owned))
    accepted = Counter(UUID(key) for key in vendor.accepted)
    assert accepted == found.effects["posted"], "the vendor and the record differ"
    assert not await connection.fetch(UNENDED)
    rest = await connection.fetchrow(REST)
    assert rest is not None
    assert (rest["outbox"], rest["parked"]) == (0, 0), dict(rest)


def summary(clients: Clients, vendor: Vendor) -> dict[str, int]:
    """What a run was like, to be printed with its result."""
    history = clients.history
    counts: dict[str, int] = defaultdict(int)
    counts["acknowledged"] = len(history.acknowledged)
    counts["unknown"] = len(history.unknown)
    counts["asked of the vendor again"] = sum(times - 1 for times in vendor.asked.values())
    return dict(counts)

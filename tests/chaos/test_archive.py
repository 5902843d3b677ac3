"""The archive's process dies while it seals: positions stay gapless, the chain holds, no event is missing."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.crm import NoteCreated
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.service import load
from flotilla.testing import Harness, eventually
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from libs.common.tests.bus.children import Child, child

MODULE = "flotilla_analytics.service"
SEALED = "SELECT count(*), count(DISTINCT event_id), coalesce(max(position), 0) FROM ledger"


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    """A database and a vhost of this test's own."""
    async with isolated(load("analytics"), worker) as instance:
        yield instance


async def test_death_while_a_block_is_sealed(
    stores: Instance, start_service: StartService, org: UUID, tmp_path: Path, rounds: int
) -> None:
    log = tmp_path / "analytics.log"
    published = 0
    async with start_service("analytics", instance=stores, lanes_paused=True) as outside:
        for passes in range(rounds + 1):
            fault = ("sealing", str(passes))
            async with child(stores, MODULE, *fault, service="analytics", log=log) as victim:
                published += await _publish_until_dead(outside, org, victim)
        async with child(stores, MODULE, service="analytics", log=log):
            await eventually(lambda: _all_sealed(outside, published), seconds=60)
        assert await _verified(stores) == 0, "the chain is broken"


async def _publish_until_dead(outside: Harness, org: UUID, victim: Child) -> int:
    death = asyncio.create_task(victim.died())
    published = 0
    while not death.done():
        note = NoteCreated(
            note_id=new_id(),
            author_id=new_id(),
            text=None,
            contact_id=None,
            company_id=None,
            created_at=datetime.now(UTC),
        )
        await outside.publish(note, org=org)
        published += 1
        await asyncio.sleep(0.02)  # sleep: the pace of the load
    assert await death == -signal.SIGKILL
    return published


async def _all_sealed(outside: Harness, published: int) -> bool:
    row: Any = await outside.app.db.fetchrow(SEALED)
    assert tuple(row) == (published, published, published)
    return True


async def _verified(stores: Instance) -> int | None:
    """`flotilla archive verify`'s exit status."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flotilla_analytics.verify", env=stores.environment("analytics")
    )
    return await process.wait()

"""The archive's processes die while they seal, and while another seals: positions stay gapless, the chain holds, no
event is missing; and the operators' command says so, until somebody changes a row.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
from flotilla.cli import app as flotilla
from flotilla.events.crm import NoteCreated
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.service import load
from flotilla.testing import Harness, eventually
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService
from flotilla_analytics.workers.sealer import seal_next
from typer.testing import CliRunner

from libs.common.tests.bus.children import Child, child

MODULE: Final = "flotilla_analytics.service"
SEALED: Final = "SELECT count(*), count(DISTINCT event_id), coalesce(max(position), 0) FROM ledger"
TAMPER: Final = """
SET session_replication_role = replica;
UPDATE analytics.archive SET subject = subject || 'x'
WHERE id = (SELECT event_id FROM analytics.ledger WHERE position = 2)"""
PATIENCE: Final = 180.0
"""Seconds: two processes start, and the second waits for the lease of the first, which is dead."""
RIVAL_BLOCK: Final = 1
"""The rival takes so few that something is left to seal for those that shall die."""


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    """A database and a vhost of this test's own."""
    async with isolated(load("analytics"), worker) as instance:
        yield instance


async def test_deaths_while_blocks_are_sealed_by_several(
    stores: Instance,
    start_service: StartService,
    org: UUID,
    tmp_path: Path,
    rounds: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two processes, of which one has the lease to seal, die one after the other; a third seals without any lease."""
    log = tmp_path / "analytics.log"
    published = 0
    async with start_service("analytics", instance=stores, lanes_paused=True) as outside:
        for passes in range(rounds):
            fault = ("sealing", str(passes))
            async with (
                child(stores, MODULE, *fault, service="analytics", log=log) as one,
                child(stores, MODULE, *fault, service="analytics", log=log) as other,
                _rival(outside),
            ):
                published += await _publish_until_dead(outside, org, (one, other))
        async with child(stores, MODULE, service="analytics", log=log):
            await eventually(lambda: _all_sealed(outside, published), seconds=PATIENCE)
        monkeypatch.setattr(Instance, "load", lambda name: stores)
        assert await _verified() == 0, "the chain is broken"
        await _tamper(stores)
        assert await _verified() == 1, "a change is not seen"


@asynccontextmanager
async def _rival(outside: Harness) -> AsyncIterator[None]:
    """Seals, whoever else does: as one whose lease has run out while it was at it."""
    stop = asyncio.Event()

    async def seal_on() -> None:
        while not stop.is_set():
            await seal_next(outside.app.db, RIVAL_BLOCK)
            await asyncio.sleep(0.02)  # sleep: the others shall have their turn

    sealing = asyncio.create_task(seal_on())
    try:
        yield
    finally:
        stop.set()
        await sealing


async def _publish_until_dead(outside: Harness, org: UUID, victims: tuple[Child, ...]) -> int:
    deaths = asyncio.gather(*(victim.process.wait() for victim in victims))
    published = 0
    async with asyncio.timeout(PATIENCE):
        while not deaths.done():
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
    assert await deaths == [-signal.SIGKILL] * len(victims)
    return published


async def _all_sealed(outside: Harness, published: int) -> bool:
    row: Any = await outside.app.db.fetchrow(SEALED)
    assert tuple(row) == (published, published, published)
    return True


async def _verified() -> int:
    """The exit status of `flotilla archive verify`."""
    result = await asyncio.to_thread(CliRunner().invoke, flotilla, ["archive", "verify"])
    return result.exit_code


async def _tamper(stores: Instance) -> None:
    """As somebody with all rights on the database may."""
    connection = await asyncpg.connect(stores.admin_dsn(), timeout=60)
    try:
        await connection.execute(TAMPER)
    finally:
        await connection.close()

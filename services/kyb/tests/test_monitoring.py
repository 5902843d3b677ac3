"""Checks by schedule, and what survives the death of a process."""

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.events.kyb import CounterpartyChecked
from flotilla.instance import Instance
from flotilla.service import load
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import running
from flotilla.testing.ports import free_port
from flotilla.testing.simulators.gleif import GleifSimulator
from flotilla.testing.simulators.register import Hang
from flotilla.testing.simulators.vies import ViesSimulator

from services.kyb.tests.conftest import Make, bring_forward, checked, german_number

DUE = "SELECT due_at FROM jobs WHERE organization_id = $1 AND kind = 'monitor'"


async def test_a_daily_check_comes_round_and_sets_the_next(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator
) -> None:
    number = german_number()
    vies.register("DE", number)
    made = await make(vat_number=number, monitoring="daily")
    await checked(kyb, made["id"])
    for turn in (2, 3):
        await bring_forward(kyb, org, "monitor")
        await checked(kyb, made["id"], turn)
        due = await kyb.app.db.fetchval(DUE, org)
        assert timedelta(hours=22) < due - datetime.now(UTC) < timedelta(hours=26)
    checks = (await kyb.client(org).get(f"/v1/counterparties/{made['id']}/checks")).json()["items"]
    assert [(check["reason"], check["actor"]) for check in checks[:2]] == [("scheduled", "service:kyb")] * 2
    journeys = {event.envelope.correlationid for event in kyb.spy.of(CounterpartyChecked, org)}
    assert len(journeys) == 3


async def test_the_schedule_is_changed_and_taken_back(kyb: Harness, org: UUID, make: Make) -> None:
    made = await make(monitoring="weekly")
    client, path = kyb.client(org), f"/v1/counterparties/{made['id']}"
    due = await kyb.app.db.fetchval(DUE, org)
    assert timedelta(days=6) < due - datetime.now(UTC) < timedelta(days=8)
    checks = len((await client.get(f"{path}/checks")).json()["items"])
    assert (await client.patch(path, {"monitoring": "daily"})).json()["monitoring"] == "daily"
    assert await kyb.app.db.fetchval(DUE, org) < due
    await client.patch(path, {"monitoring": "none"})
    assert await kyb.app.db.fetchval(DUE, org) is None
    assert len((await client.get(f"{path}/checks")).json()["items"]) == checks


async def test_a_schedule_survives_a_restart(
    stores: Instance, org: UUID, vies: ViesSimulator, settings: dict[str, Any]
) -> None:
    number = german_number()
    vies.register("DE", number)
    async with running(load("kyb"), instance=stores, **settings) as first:
        body = {"name": "Ink", "country": "DE", "vat_number": number, "monitoring": "daily"}
        made = (await first.client(org).post("/v1/counterparties", body)).json()
        await checked(first, made["id"])
    async with running(load("kyb"), instance=stores, **settings) as second:
        await bring_forward(second, org, "monitor")
        event = await checked(second, made["id"])
        assert event.state == "verified"
        read = await second.client(org).get(f"/v1/counterparties/{made['id']}/checks")
        assert [check["reason"] for check in read.json()["items"]] == ["scheduled", "created"]


def child_environment(stores: Instance, settings: dict[str, Any]) -> dict[str, str]:
    port = free_port()
    told = {f"FLOTILLA_{name.upper()}": str(value) for name, value in settings.items()}
    return {**stores.environment("kyb"), **told, "FLOTILLA_HTTP_PORT": str(port)}


async def test_a_process_that_dies_while_it_asks_is_followed_by_another(
    stores: Instance, org: UUID, vies: ViesSimulator, settings: dict[str, Any]
) -> None:
    """VIES hangs, the process that asked is killed; the next one asks again, and the check ends once."""
    number = german_number()
    vies.register("DE", number)
    vies.fails(f"DE{number}", Hang())
    patient = {**settings, "source_seconds": 60, "check_seconds": 120}
    async with running(load("kyb"), instance=stores, lanes_paused=True, **patient) as idle:
        body = {"name": "Ink", "country": "DE", "vat_number": number}
        made = (await idle.client(org).post("/v1/counterparties", body)).json()
        victim = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "flotilla.testing.child", "flotilla_kyb.service"),
            env=child_environment(stores, patient),
            cwd=stores.root,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await vies.expect_asked(f"DE{number}", seconds=120)
        finally:
            victim.kill()
            assert await victim.wait() == -signal.SIGKILL
        await idle.app.db.execute("UPDATE jobs SET leased_until = now() WHERE kind = 'ask_vies'")
    async with running(load("kyb"), instance=stores, **patient) as second:
        assert (await checked(second, made["id"])).state == "verified"
        assert vies.times_asked(f"DE{number}") == 2
        evidence = (await second.client(org).get(f"/v1/counterparties/{made['id']}/checks")).json()["items"]
        assert len(evidence) == 1


async def test_death_between_commit_and_publish_loses_no_event(
    stores: Instance, org: UUID, gleif: GleifSimulator, vies: ViesSimulator, settings: dict[str, Any]
) -> None:
    """The process dies just when the check has ended; the events are told by another, each once."""
    number = german_number()
    vies.register("DE", number)
    async with running(load("kyb"), instance=stores, lanes_paused=True, **settings) as idle:
        body = {"name": "Ink", "country": "DE", "vat_number": number}
        made = (await idle.client(org).post("/v1/counterparties", body)).json()
        victim = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "flotilla.testing.child", "flotilla_kyb.service", "committed"),
            env=child_environment(stores, settings),
            cwd=stores.root,
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(120):
            assert await victim.wait() == -signal.SIGKILL
    async with running(load("kyb"), instance=stores, **settings) as second:
        event = await second.spy.expect(
            CounterpartyChecked, lambda event: str(event.data.counterparty_id) == made["id"], seconds=30
        )
        assert event.data.state == "verified"

        async def told() -> bool:
            return bool(await second.app.db.fetchval("SELECT count(*) FROM outbox") == 0)

        await eventually(told, seconds=30)
        assert len({event.id for event in second.spy.of(CounterpartyChecked, org)}) == 1
        read = await second.client(org).get(f"/v1/counterparties/{made['id']}/snapshots")
        assert len(read.json()["items"]) == 1
    assert vies.times_asked(f"DE{number}") == 1

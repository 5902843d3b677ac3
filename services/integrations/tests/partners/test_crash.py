"""The process is killed between sending a webhook and writing it down: it comes again, under the same id."""

import asyncio
import sys
from uuid import UUID

from flotilla.service import load
from flotilla.testing import eventually
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from services.integrations.tests.partners.conftest import HANG, SETTINGS, Endpoint, Subscribed, company

TOLD = {**SETTINGS, "partner_webhook_seconds": 30.0}
EXPIRE = "UPDATE jobs SET leased_until = now() WHERE organization_id = $1 AND leased_until IS NOT NULL"


async def test_a_killed_delivery_comes_again_under_its_id(
    endpoint: Endpoint, start_service: StartService, worker: str, org: UUID
) -> None:
    service = load("integrations")
    async with isolated(service, worker) as own:
        async with start_service(service, instance=own, **TOLD) as before:
            wanted = {"kind": "webhook", "name": "ERP", "types": ["company.*"], "url": endpoint.address}
            admin = before.client(org)
            made = (await admin.post("/v1/partner-subscriptions", wanted)).json()
            endpoint.secret = made["secret"]
        async with start_service(service, instance=own, lanes_paused=True, **TOLD) as idle:
            event_id = await idle.publish(company(), org=org, audience="org")
        endpoint.answers = [HANG]  # taken, and the process dies before it hears so
        environment = {f"FLOTILLA_{name.upper()}": _said(value) for name, value in TOLD.items()}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "flotilla.run",
            "integrations",
            env={**own.environment("integrations"), **environment},
            cwd=own.root,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await eventually(lambda: _came(endpoint, 1), seconds=120)
        finally:
            process.kill()
            await process.wait()
        async with start_service(service, instance=own, **TOLD) as after:
            assert await after.app.db.execute(EXPIRE, org) == "UPDATE 1"
            subscribed = Subscribed(after.client(org), made)
            (logged,) = await subscribed.logged("delivered")
            await endpoint.expect(2)
    assert endpoint.ids == [str(event_id)] * 2
    assert logged["event_id"] == str(event_id)


async def _came(endpoint: Endpoint, count: int) -> bool:
    return len(endpoint.got) >= count


def _said(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)

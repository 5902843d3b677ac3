"""A partner outside receives what becomes of a deal: over a queue of its own, and by webhook, and nobody else's."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import yarl
from aiohttp import web
from flotilla.instance import project_root
from flotilla.testing import eventually
from flotilla.testing.people import Person
from standardwebhooks import Webhook

from tests.e2e.conftest import NewOffice
from tests.e2e.filled import EUROS, stages_of
from tests.e2e.test_won import a_deal, move, of

PATH = "/v1/partner-subscriptions"
CLIENT = project_root() / "tests" / "contracts" / "partner_client.py"
TYPES = ["deal.won.v1", "invoice.issued.v1", "deal.closed.v1"]


async def test_a_partner_hears_of_a_won_deal(new_office: NewOffice) -> None:
    ours, theirs = [(await new_office(name)).owner for name in ("Harbour", "Kite")]
    queue, foreign = await subscribed(ours), await subscribed(theirs)
    got: list[tuple[str, Any]] = []
    async with listening(got) as (address, secrets):
        wanted = {"kind": "webhook", "name": "BI", "types": ["deal.*"], "url": address}
        hook = await ours.ok("POST", PATH, wanted)
        secrets.append(hook["secret"])
        stages = await stages_of(ours)
        deal = await a_deal(ours, EUROS, "Kite & Sons")
        async with ours.live() as live:
            await move(ours, deal, stages["Won"])
            await live.expect("deal.closed.v1", of(deal))
        events = await read(queue, len(TYPES))
        assert sorted(event["type"] for event in events) == sorted(TYPES)
        assert {event["data"]["deal_id"] for event in events} == {deal["id"]}
        assert {event["data"].get("title") for event in events} == {None}  # personal, and not asked for
        closed = await eventually(lambda: _first(got, "deal.closed.v1"))
    assert closed in [(event["id"], event) for event in events]
    log = await ours.ok("GET", f"{PATH}/{hook['id']}/deliveries?state=delivered")
    assert closed[0] in [each["event_id"] for each in log["items"]]
    # The other organization's queue is as empty as it was: its own test event is the first in it.
    await theirs.ok("POST", f"{PATH}/{foreign['id']}/test")
    (told,) = await read(foreign, 1)
    assert told["type"] == "partner.subscription.changed.v1"


async def subscribed(owner: Person) -> dict[str, Any]:
    """A queue, once it is there."""
    made: dict[str, Any] = await owner.ok("POST", PATH, {"kind": "amqp", "name": "ERP", "types": TYPES})

    async def active() -> bool:
        shown = await owner.ok("GET", f"{PATH}/{made['id']}")
        return bool(shown["state"] == "active")

    await eventually(active)
    return made


async def read(made: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """What a program reads there that was written with aio-pika and the contracts folder alone."""
    queue = made["queue"]
    url = yarl.URL(queue["address"]).with_user(queue["username"]).with_password(made["secret"])
    arguments = [
        str(url.with_path(f"/{queue['vhost']}")),
        queue["queue"],
        project_root() / "contracts",
        count,
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CLIENT), *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


@asynccontextmanager
async def listening(got: list[tuple[str, Any]]) -> AsyncIterator[tuple[str, list[str]]]:
    """A partner's endpoint: its address, and where its secret is put; what it got goes to `got`."""
    secrets: list[str] = []

    async def take(request: web.Request) -> web.Response:
        event = Webhook(secrets[0]).verify(await request.text(), dict(request.headers))
        got.append((request.headers["webhook-id"], event))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/in", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/in", secrets
    finally:
        await runner.cleanup()


async def _first(got: list[tuple[str, Any]], type_: str) -> tuple[str, Any] | None:
    return next((each for each in got if each[1]["type"] == type_), None)

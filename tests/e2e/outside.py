"""Programs outside: one that reads a queue of its own, one that is told by webhooks."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import yarl
from aiohttp import web
from flotilla.instance import project_root
from flotilla.testing import eventually
from flotilla.testing.people import Person
from flotilla.testing.serving import serving
from standardwebhooks import Webhook

PARTNERS = "/v1/partner-subscriptions"
CLIENT = project_root() / "tests" / "contracts" / "partner_client.py"


@dataclass
class Program:
    """An endpoint that takes only what is signed."""

    address: str
    secret: str = ""
    got: list[tuple[str, Any]] = field(default_factory=list)
    """The id of each call, and what it said."""

    async def first(self, type_: str) -> tuple[str, Any]:
        """The first call of a type, waited for."""

        async def called() -> tuple[str, Any] | None:
            return next((each for each in self.got if each[1]["type"] == type_), None)

        found = await eventually(called, seconds=20, what=f"a call with {type_}")
        assert found is not None
        return found


@asynccontextmanager
async def listening() -> AsyncIterator[Program]:
    """A program on a free port; it is told its secret later."""
    program = Program("")

    async def take(request: web.Request) -> web.Response:
        event = Webhook(program.secret).verify(await request.text(), dict(request.headers))
        program.got.append((request.headers["webhook-id"], event))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/in", take)
    async with serving(app) as address:
        program.address = f"{address}/in"
        yield program


async def subscribed(owner: Person, types: Collection[str]) -> dict[str, Any]:
    """A queue for these types, once it is there."""
    wanted = {"kind": "amqp", "name": "ERP", "types": list(types)}
    made: dict[str, Any] = await owner.ok("POST", PARTNERS, wanted)

    async def active() -> bool:
        shown = await owner.ok("GET", f"{PARTNERS}/{made['id']}")
        return bool(shown["state"] == "active")

    await eventually(active, what="the queue")
    return made


async def read(made: dict[str, Any], types: Collection[str]) -> list[dict[str, Any]]:
    """What a program reads there until it has seen each of these types, written with aio-pika and the contracts
    folder alone."""
    queue = made["queue"]
    url = yarl.URL(queue["address"]).with_user(queue["username"]).with_password(made["secret"])
    address = str(url.with_path(f"/{queue['vhost']}"))
    arguments = [address, queue["queue"], str(project_root() / "contracts"), ",".join(types)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CLIENT), *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]

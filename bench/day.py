"""A day's work in a minute: customers' messages at a fixed rate through the whole fleet, and what became of them.

    python -m bench.day --rate 278 --seconds 300 --orgs 100 --sockets 500 [--profile]

Starts a fleet of its own on the `test` instance's servers (`flotilla up -i test --only-servers`), founds the
organizations, and has a process of its own (`bench/fleet/generator.py`) open the sockets, post Telegram updates to the
webhooks at the rate (open loop: late answers don't slow it) and approve one draft in ten. Then it waits (`--catch-up`)
until nothing is to come any more: all drafted, all approved answered, no event in an outbox or a lane. Prints what was
sent, stored, drafted, answered, pushed, lost, doubled, the time from webhook to WebSocket, CPU by process while it was
loaded and in all, in the seconds in which messages were late and in the others, and statements, transactions and
deliveries a message by service. `--profile` leaves stacks and tables of the busiest processes in bench/profiles/.
"""

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
import uvloop
from flotilla.fleet import READY_SECONDS, Fleet, answers
from flotilla.instance import Instance
from flotilla.native.elasticsearch import Elasticsearch
from flotilla.native.vhost import delete_vhost
from flotilla.testing.isolation import drop_database
from flotilla.testing.people import Office, Person
from flotilla.testing.ports import free_ports
from flotilla.testing.simulators.telegram import TelegramSimulator

from bench.fleet import profile
from bench.fleet.outcome import GENERATOR, PROFILER, VENDOR, Day
from bench.fleet.plan import Place, Plan, Tally, chat_of
from bench.fleet.report import show
from bench.fleet.seconds import noted
from bench.fleet.spent import Spent, pids, spent
from bench.fleet.stored import caught_up, counted

REPLICATED: Final = ("messaging", "crm", "ai")
PROFILES: Final = Path(__file__).parent / "profiles"
BUSIEST: Final = ("ai", "messaging", "integrations", "websocket", "analytics", "crm", "gateway")
FOUNDED_AT_ONCE: Final = 4
QUESTION: Final = "Hello, how long does delivery to Germany take? Order"
CATCH_UP_SECONDS: Final = 300.0
AT_ONCE: Final = 20
"""Conversations of an organization that take turns: who writes again at once has the draft before withdrawn."""


async def measure(fleet: Fleet, options: argparse.Namespace, replicas: Mapping[str, int]) -> Day:
    """Found, load, settle, count."""
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(TelegramSimulator.running())
        timeout = aiohttp.ClientTimeout(total=60)
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        _search_gives_way(fleet)
        offices = await founded(Person(fleet.instance.public_url, session), telegram, options.orgs)
        child = await started(planned(fleet, telegram, offices, options))
        stack.callback(_ended, child)
        others = {GENERATOR: child.pid}

        async def look() -> Spent:
            return await spent(fleet, others, replicas, beside())

        before = await look()
        over = asyncio.Event()
        noting = asyncio.create_task(noted(pids(fleet) | others, over))
        tasks = []
        if options.profile:
            chosen = {
                name: pid for name, pid in (pids(fleet) | others).items() if name in (*BUSIEST, GENERATOR)
            }
            tasks.append(asyncio.create_task(profile.record(chosen, options.seconds, PROFILES)))
        await told(child, "begin", "sent")
        ended = time.monotonic()
        over.set()
        await asyncio.gather(*tasks)  # py-spy is counted once it has ended
        loaded = await look()
        (done, used), _ = await asyncio.gather(
            caught_up(fleet, options.catch_up, look), told(child, "", "pushed")
        )
        tally = msgspec.json.decode(await told(child, "end"), type=Tally)
        return Day(
            tally=tally,
            counts=await counted(fleet),
            taken=len(telegram.sent),
            loaded=loaded.since(before),
            used=used.since(before),
            seconds=await noting,
            caught_up_in=done - ended if done is not None else None,
        )


def _search_gives_way(fleet: Fleet) -> None:
    """As where `flotilla up` has started it."""
    for server in fleet.servers():
        if isinstance(server, Elasticsearch):
            server.give_way()


def beside() -> dict[str, float]:
    """Seconds of CPU so far of this process, which plays the vendor, and of the profilers it started, which ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {VENDOR: own.ru_utime + own.ru_stime, PROFILER: children.ru_utime + children.ru_stime}


async def replicated(fleet: Fleet, replicas: Mapping[str, int]) -> None:
    """More processes of services (`ai-2`), each on its port; they take batches, and no requests come their way."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    for name, port in replicas.items():
        service = name.partition("-")[0]
        environment = fleet.instance.with_isolation(service_ports={service: port}).environment(service)
        command = [sys.executable, "-m", "flotilla.run", service]
        fleet.processes.start(name, command, inherited | environment, cwd=fleet.instance.root)
        await fleet.processes.wait_ready(name, partial(answers, port, "/readyz"), READY_SECONDS)


async def founded(nobody: Person, telegram: TelegramSimulator, number: int) -> list[Office]:
    """So many organizations."""
    gate = asyncio.Semaphore(FOUNDED_AT_ONCE)

    async def found(name: str) -> Office:
        async with gate:
            return await Office.found(nobody, telegram, name)

    return await asyncio.gather(*(found(f"Office {each}") for each in range(number)))


def planned(
    fleet: Fleet, telegram: TelegramSimulator, offices: list[Office], options: argparse.Namespace
) -> Plan:
    """What the generator shall do; everybody who will write is known to the bots, so that they can be answered."""
    places = []
    for office in offices:
        bot = telegram.bots[office.token]
        hook = "/" + bot.url.split("/", 3)[3]
        places.append(Place(hook, bot.secret, office.owner.tokens["access_token"]))
    plan = Plan(
        address=fleet.instance.public_url,
        offices=places,
        update=telegram.update(offices[0].token, chat=1000, text=QUESTION),
        text=QUESTION,
        rate=options.rate,
        seconds=options.seconds,
        sockets=options.sockets,
        conversation=options.conversation,
        at_once=options.at_once,
    )
    chats = {chat_of(plan, number) for number in range(int(options.rate * options.seconds))}
    for office in offices:
        telegram.bots[office.token].chats.update(chats)
    return plan


async def started(plan: Plan) -> asyncio.subprocess.Process:
    """The generator with its sockets open; it waits to be told to begin."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.fleet.generator"),
        cwd=Path(__file__).parent.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(msgspec.json.encode(plan) + b"\n")
    assert await child.stdout.readline() == b"ready\n", "the generator did not come up"
    return child


async def told(child: asyncio.subprocess.Process, what: str, expected: str = "") -> bytes:
    """What it says next, once it has been told that, where there is something to tell."""
    assert child.stdin is not None
    assert child.stdout is not None
    if what:
        child.stdin.write(what.encode() + b"\n")
    said = await child.stdout.readline()
    assert said, "the generator ended early"
    assert said.startswith(expected.encode()), f"the generator said {said!r} instead of {expected}"
    return said


def _ended(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()


async def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    if options.profile:
        profile.program()
    show(await measured(options))


async def measured(options: argparse.Namespace) -> Day:
    """On a fleet of its own, gone afterwards."""
    name = f"t_{os.getpid()}_day"
    # Who gives way to whom is as `flotilla up` has it; tests are without.
    settings = {
        "FLOTILLA_LIMIT_SIGN_IN": "100000/60",
        "FLOTILLA_LIMIT_SESSION": "1000000/60",
        "FLOTILLA_LIMIT_DEAR": "1000000/60",
        "FLOTILLA_GIVE_WAY": "true",
    }
    instance = Instance.load("test").with_isolation(
        database=name, vhost=name, documents_prefix=name, redis_index=253, overrides=settings
    )
    fleet = Fleet(instance)
    names = [f"{service}-{each}" for service in REPLICATED for each in range(2, options.replicas + 1)]
    replicas = dict(zip(names, free_ports(len(names)), strict=True))
    try:
        await fleet.migrate()
        await fleet.start_services()
        await replicated(fleet, replicas)
        return await measure(fleet, options, replicas)
    finally:
        await asyncio.gather(*(fleet.processes.stop(name) for name in replicas))
        await fleet.stop_services()
        await delete_vhost(instance)
        await drop_database(instance)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=20, help="messages a second")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--orgs", type=int, default=10)
    parser.add_argument("--sockets", type=int, default=50)
    parser.add_argument("--conversation", type=int, default=20, help="messages a conversation")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="conversations of an organization")
    parser.add_argument("--replicas", type=int, default=1, help="of messaging, crm and ai")
    parser.add_argument("--catch-up", type=float, default=CATCH_UP_SECONDS, help="seconds at most")
    parser.add_argument("--profile", action="store_true", help="have py-spy look at the busiest processes")
    uvloop.run(main(parser.parse_args()))

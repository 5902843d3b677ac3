"""A day's work in a minute: customers' messages at a fixed rate through the whole fleet, and what became of them.

    uv run python bench/day.py --rate 20 --seconds 60 --orgs 10 --sockets 50

Starts a fleet of its own on the `test` instance's servers (`flotilla up -i test --only-servers`), founds the
organizations, opens the sockets, posts Telegram updates to the webhooks at the rate (open loop: late answers
don't slow it), approves one draft in ten, waits until nothing moves any more, and prints: sent, stored,
drafted, pushed, lost, doubled, the time from webhook to WebSocket, and CPU by process, the generator's apart.
"""

import argparse
import asyncio
import os
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import uvloop
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.native.vhost import delete_vhost
from flotilla.testing.isolation import drop_database
from flotilla.testing.people import Office, Person
from flotilla.testing.simulators.telegram import TelegramSimulator
from rich.console import Console
from rich.table import Table

TICKS = os.sysconf("SC_CLK_TCK")
QUESTION = "Hello, how long does delivery to Germany take? Order"
QUIET_SECONDS = 5.0
DRAIN_SECONDS = 120.0
COUNTS = {
    "stored": "SELECT count(*) FROM messaging.messages WHERE direction = 'in'",
    "distinct": "SELECT count(DISTINCT (organization_id, id)) FROM messaging.messages WHERE direction = 'in'",
    "drafted": "SELECT count(DISTINCT message_id) FROM ai.drafts",
    "drafts": "SELECT count(*) FROM ai.drafts",
    "parked": "SELECT count(*) FROM messaging_bus.parked_events",
}


@dataclass
class Tally:
    """What the generator did and saw."""

    accepted: dict[int, float] = field(default_factory=dict)
    """Number of the message → when it was posted; only those answered 200."""
    refused: Counter[int] = field(default_factory=Counter)
    pushed: Counter[int] = field(default_factory=Counter)
    """Number of the message → distinct message ids seen for it."""
    seen_ids: set[str] = field(default_factory=set)
    latencies: list[float] = field(default_factory=list)
    approved: int = 0
    last_seen: float = 0.0


class Generator:
    """Customers, sockets and the people who approve."""

    def __init__(
        self, offices: list[Office], session: aiohttp.ClientSession, options: argparse.Namespace
    ) -> None:
        self.tally = Tally()
        self._offices = offices
        self._session = session
        self._options = options
        self._tasks: set[asyncio.Task[None]] = set()
        self._posted: dict[int, float] = {}

    async def run(self) -> None:
        """Post at the rate for the time asked."""
        began = time.perf_counter()
        total = int(self._options.rate * self._options.seconds)
        for number in range(total):
            delay = began + number / self._options.rate - time.perf_counter()
            if delay > 0:
                await asyncio.sleep(delay)
            self._spawn(self._post(number))
        await asyncio.gather(*self._tasks)

    async def settle(self) -> None:
        """Until every accepted message was pushed and nothing more comes, or the time is up."""
        deadline = time.perf_counter() + DRAIN_SECONDS
        while time.perf_counter() < deadline:
            quiet = time.perf_counter() - self.tally.last_seen > QUIET_SECONDS
            if quiet and len(self.tally.pushed) >= len(self.tally.accepted):
                return
            await asyncio.sleep(0.2)

    async def listen(self, office: Office, socket: aiohttp.ClientWebSocketResponse, first: bool) -> None:
        """One person's socket; the organization's first also measures and approves."""
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT or not first:
                continue
            frame = msgspec.json.decode(message.data)
            if frame["type"] == "ping":
                await socket.send_json({"type": "pong"})
            elif frame["type"] == "event":
                self._see(office, frame["event"])

    def _see(self, office: Office, event: dict[str, Any]) -> None:
        now = time.perf_counter()
        self.tally.last_seen = now
        if event["type"] == "message.received.v1" and event["data"]["message_id"] not in self.tally.seen_ids:
            number = int(event["data"]["text"].rsplit("#", 1)[1])
            self.tally.seen_ids.add(event["data"]["message_id"])
            self.tally.pushed[number] += 1
            self.tally.latencies.append(now - self._posted[number])
        elif event["type"] == "ai.draft.generated.v1" and hash(event["data"]["draft_id"]) % 10 == 0:
            self._spawn(self._approve(office, event["data"]["draft_id"]))

    async def _post(self, number: int) -> None:
        office = self._offices[number % len(self._offices)]
        turn = number // len(self._offices)
        chat = 1000 + turn // self._options.conversation
        bot = office.telegram.bots[office.token]
        update = office.telegram.update(office.token, chat=chat, text=f"{QUESTION} #{number}")
        headers = {"X-Telegram-Bot-Api-Secret-Token": bot.secret}
        self._posted[number] = time.perf_counter()
        try:
            async with self._session.post(bot.url, json=update, headers=headers) as answer:
                await answer.read()
                if answer.status == 200:
                    self.tally.accepted[number] = self._posted[number]
                else:
                    self.tally.refused[answer.status] += 1
        except (aiohttp.ClientError, TimeoutError):
            self.tally.refused[0] += 1

    async def _approve(self, office: Office, draft_id: str) -> None:
        answer = await office.owner.call("POST", f"/v1/drafts/{draft_id}/approve", {})
        self.tally.approved += answer.status < 300

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def cpu_by_process(fleet: Fleet) -> dict[str, float]:
    """CPU seconds so far of each service and server, children included."""
    names = {name: record.pid for name in fleet.instance.services if (record := fleet.processes.record(name))}
    names |= {server.name: pid for server in fleet.servers() if (pid := server.status().pid)}
    parents = {int(path.name): _stat(path) for path in _processes()}
    used: dict[str, float] = defaultdict(float)
    for pid, (_, seconds) in parents.items():
        root = pid
        while root not in names.values() and root in parents and parents[root][0] > 1:
            root = parents[root][0]
        for name, owner in names.items():
            if owner == root:
                used[name] += seconds
    return dict(used)


def _processes() -> Iterator[Path]:
    return (path for path in Path("/proc").iterdir() if path.name.isdigit())


def _stat(path: Path) -> tuple[int, float]:
    try:
        fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0, 0.0
    return int(fields[1]), sum(int(each) for each in fields[11:15]) / TICKS


async def counted(fleet: Fleet) -> dict[str, int]:
    """What stands in the stores."""
    connection = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        return {name: await connection.fetchval(sql) for name, sql in COUNTS.items()}
    finally:
        await connection.close()


async def measure(fleet: Fleet, options: argparse.Namespace) -> None:
    """Found, load, settle, count, print."""
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(TelegramSimulator.running())
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=60)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        nobody = Person(fleet.instance.public_url, session)
        offices = [await Office.found(nobody, telegram, f"Office {number}") for number in range(options.orgs)]
        generator = Generator(offices, session, options)
        url = fleet.instance.public_url.replace("http", "ws", 1) + "/v1/live"
        for number in range(max(options.sockets, options.orgs)):
            office = offices[number % len(offices)]
            opened = session.ws_connect(url, headers=office.owner.headers, protocols=("flotilla.v1",))
            socket = await stack.enter_async_context(opened)
            listening = asyncio.create_task(generator.listen(office, socket, number < len(offices)))
            stack.callback(listening.cancel)
        before, own_before = cpu_by_process(fleet), resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        await generator.run()
        sending = time.perf_counter() - began
        await generator.settle()
        own_after = resource.getrusage(resource.RUSAGE_SELF)
        used = {name: total - before.get(name, 0.0) for name, total in cpu_by_process(fleet).items()}
        used["(generator)"] = sum(own_after[:2]) - sum(own_before[:2])
        show(generator.tally, await counted(fleet), used, sending)


def show(tally: Tally, counts: dict[str, int], used: dict[str, float], sending: float) -> None:
    """The tables."""
    accepted = len(tally.accepted)
    latencies = sorted(tally.latencies) or [0.0]
    lost = accepted - len([number for number in tally.accepted if tally.pushed[number]])
    doubled = sum(times - 1 for times in tally.pushed.values()) + counts["drafts"] - counts["drafted"]
    rows = {
        "sent and answered 200": f"{accepted:,} ({accepted / sending:,.0f}/s)",
        "refused": ", ".join(f"{number} × {status}" for status, number in tally.refused.items()) or "0",
        "stored": f"{counts['stored']:,}",
        "drafted": f"{counts['drafted']:,}",
        "drafts approved": f"{tally.approved:,}",
        "pushed": f"{len(tally.pushed):,}",
        "lost": f"{lost + accepted - counts['stored']:,}",
        "doubled": f"{doubled:,}",
        "parked": f"{counts['parked']:,}",
        "webhook → WebSocket p50": f"{latencies[len(latencies) // 2] * 1000:,.0f} ms",
        "webhook → WebSocket p99": f"{latencies[int(len(latencies) * 0.99)] * 1000:,.0f} ms",
    }
    table = Table(box=None, show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    cpu = Table("process", "CPU s", "ms a message", box=None)
    for name, seconds in sorted(used.items(), key=lambda item: -item[1]):
        cpu.add_row(name, f"{seconds:.1f}", f"{seconds / max(accepted, 1) * 1000:.2f}")
    total = sum(seconds for name, seconds in used.items() if name != "(generator)")
    cpu.add_row("all but the generator", f"{total:.1f}", f"{total / max(accepted, 1) * 1000:.2f}")
    console = Console(width=100)
    console.print(table)
    console.print(cpu)


async def main(options: argparse.Namespace) -> None:
    """On a fleet of its own, gone afterwards."""
    name = f"t_{os.getpid()}_day"
    limits = {"FLOTILLA_LIMIT_SIGN_IN": "100000/60", "FLOTILLA_LIMIT_SESSION": "1000000/60"}
    instance = Instance.load("test").with_isolation(
        database=name, vhost=name, documents_prefix=name, redis_index=253, overrides=limits
    )
    fleet = Fleet(instance)
    try:
        await fleet.migrate()
        await fleet.start_services()
        await measure(fleet, options)
    finally:
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
    uvloop.run(main(parser.parse_args()))

"""Customers who write at a fixed rate, and people who look on and approve: a process of its own.

    python -m bench.fleet.generator < plan.json

Reads a `Plan` as one line, opens the sockets, says `ready`, begins when it is told a second line, and says at the end
what it did and saw, a `Tally` as JSON, and goes when its input ends. Open loop: late answers don't slow it.
"""

import asyncio
import random
import sys
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop

from bench.fleet.wire import Http, Socket

QUIET_SECONDS = 5.0
DRAIN_SECONDS = 120.0
APPROVED = 0.1
"""Of the drafts."""


class Office(msgspec.Struct):
    """An organization: where its customers' messages go, and who looks on."""

    hook: str
    """Path of the webhook."""
    secret: str
    bearer: str


class Plan(msgspec.Struct):
    """What is to be done; `update` is a Telegram update, of which the ids, the chat and the text are changed."""

    address: str
    offices: list[Office]
    update: dict[str, Any]
    text: str
    rate: float
    seconds: float
    sockets: int
    conversation: int


class Tally(msgspec.Struct):
    """What it did and saw."""

    posted: int = 0
    accepted: int = 0
    refused: dict[int, int] = {}
    pushed: int = 0
    lost: int = 0
    doubled: int = 0
    approved: int = 0
    sending_seconds: float = 0.0
    late_seconds: float = 0.0
    """How late the generator itself was at worst: it must not be what bounds the rate."""
    latencies: list[float] = []


class _Frame(msgspec.Struct, tag_field="type", tag="event"):
    event: msgspec.Raw


class _Event(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Received(msgspec.Struct):
    message_id: str
    text: str


class _Drafted(msgspec.Struct):
    draft_id: str


_frames = msgspec.json.Decoder(_Frame)
_events = msgspec.json.Decoder(_Event)
_received = msgspec.json.Decoder(_Received)
_drafted = msgspec.json.Decoder(_Drafted)


class Generator:
    """Posts, and what is seen of it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        place = urlsplit(plan.address)
        self._host, self._port = str(place.hostname), int(place.port or 80)
        self._http = Http(self._host, self._port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._posted: list[float] = []
        self._accepted: set[int] = set()
        self._refused: Counter[int] = Counter()
        self._pushed: Counter[int] = Counter()
        self._seen: set[str] = set()
        self._last_seen = 0.0
        self._random = random.Random(7)
        self.tally = Tally()

    async def connect(self) -> None:
        """Every socket, spread over the organizations; the first of each looks at what comes."""
        for number in range(max(self._plan.sockets, len(self._plan.offices))):
            office = self._plan.offices[number % len(self._plan.offices)]
            headers = f"{_signed_in(office)}Sec-WebSocket-Protocol: flotilla.v1\r\n"
            first = number < len(self._plan.offices)
            heard = self._hearing(office) if first else None
            await Socket.connect(self._host, self._port, "/v1/live", headers, heard)

    async def run(self) -> None:
        """Post at the rate for the time asked, then wait until nothing more comes."""
        total = int(self._plan.rate * self._plan.seconds)
        began = time.perf_counter()
        for number in range(total):
            due = began + number / self._plan.rate
            if (delay := due - time.perf_counter()) > 0:
                await asyncio.sleep(delay)
            now = time.perf_counter()
            self.tally.late_seconds = max(self.tally.late_seconds, now - due)
            self._posted.append(now)
            self._spawn(self._post(number))
        if self._tasks:
            await asyncio.wait(self._tasks)
        self.tally.sending_seconds = time.perf_counter() - began
        await self._settle()
        self._sum_up()

    async def _settle(self) -> None:
        deadline = time.perf_counter() + DRAIN_SECONDS
        while time.perf_counter() < deadline:
            quiet = time.perf_counter() - self._last_seen > QUIET_SECONDS
            if quiet and len(self._pushed) >= len(self._accepted):
                return
            await asyncio.sleep(0.2)

    async def _post(self, number: int) -> None:
        plan = self._plan
        office = plan.offices[number % len(plan.offices)]
        chat = chat_of(plan, number)
        message = plan.update["message"]
        update = {
            "update_id": number + 1,
            "message": {
                **message,
                "message_id": number + 1,
                "from": {**message["from"], "id": chat},
                "chat": {**message["chat"], "id": chat},
                "date": int(time.time()),
                "text": f"{plan.text} #{number}",
            },
        }
        headers = f"X-Telegram-Bot-Api-Secret-Token: {office.secret}\r\n"
        status = await self._http.post(office.hook, headers, msgspec.json.encode(update))
        if status == 200:
            self._accepted.add(number)
        else:
            self._refused[status] += 1

    def _hearing(self, office: Office) -> Any:
        """What is done with the frames of an organization."""

        def heard(payload: bytes) -> None:
            # Most of what comes is neither; it is not decoded.
            if b"message.received.v1" in payload:
                self._note_received(payload)
            elif b"ai.draft.generated.v1" in payload and self._random.random() < APPROVED:
                event = _events.decode(_frames.decode(payload).event)
                if event.type == "ai.draft.generated.v1":
                    self._spawn(self._approve(office, _drafted.decode(event.data).draft_id))

        return heard

    def _note_received(self, payload: bytes) -> None:
        now = time.perf_counter()
        event = _events.decode(_frames.decode(payload).event)
        if event.type != "message.received.v1":
            return
        received = _received.decode(event.data)
        if received.message_id in self._seen:  # sent again after a resume; the same message
            return
        self._last_seen = now
        self._seen.add(received.message_id)
        number = int(received.text.rsplit("#", 1)[1])
        self._pushed[number] += 1
        self.tally.latencies.append(now - self._posted[number])

    async def _approve(self, office: Office, draft_id: str) -> None:
        status = await self._http.post(f"/v1/drafts/{draft_id}/approve", _signed_in(office), b"{}")
        self.tally.approved += 200 <= status < 300

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _sum_up(self) -> None:
        tally = self.tally
        tally.posted, tally.accepted = len(self._posted), len(self._accepted)
        tally.refused, tally.pushed = dict(self._refused), len(self._pushed)
        tally.lost = len(self._accepted - set(self._pushed))
        tally.doubled = sum(times - 1 for times in self._pushed.values())


def chat_of(plan: Plan, number: int) -> int:
    """Whose message it is: so many of a conversation follow each other."""
    return 1000 + number // len(plan.offices) // plan.conversation


def _signed_in(office: Office) -> str:
    return f"Authorization: Bearer {office.bearer}\r\n"


async def main() -> None:
    """By standard input and output."""
    generator = Generator(msgspec.json.decode(sys.stdin.readline(), type=Plan))
    await generator.connect()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await generator.run()
    print(msgspec.json.encode(generator.tally).decode(), flush=True)
    await asyncio.to_thread(sys.stdin.readline)  # what it spent is looked at before it goes


if __name__ == "__main__":
    uvloop.run(main())

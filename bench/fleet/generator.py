"""Customers who write at a fixed rate, and people who look on and approve: a process of its own.

    python -m bench.fleet.generator < plan.json

Reads a `Plan` as one line and opens the sockets, then goes on by lines: it says `ready`, begins when it is told a
line, says `sent` when the last post is answered and `pushed` when all messages were seen; looks on and approves until
it is told another line, says what it did and saw, a `Tally` as JSON, and goes when its input ends. Open loop: late
answers don't slow it.
"""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop

from bench.fleet.plan import Place, Plan, Tally, chat_of
from bench.fleet.wire import EVENT, Http, Socket

CALM_SECONDS = 1.0
"""Without an event: what came of the founding has come to every socket, and they can be compared from here on."""
QUIET_SECONDS = 5.0
DRAIN_SECONDS = 120.0
APPROVED = 0.1
"""Of the drafts."""
ID = slice(len(EVENT), len(EVENT) + 36)
"""Where an event's id stands in its frame."""


class _Frame(msgspec.Struct, tag_field="type", tag="event"):
    event: msgspec.Raw


class _Event(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Received(msgspec.Struct):
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
        self._sockets: list[Socket] = []
        """The first of each organization, then the second of each, and so on."""
        self._before: list[int] = []
        """Events of each socket that came before the first post."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = 0.0
        self._posted: list[float] = []
        self._accepted: set[int] = set()
        self._refused: Counter[int] = Counter()
        self._not_approved: Counter[int] = Counter()
        self._pushed: Counter[int] = Counter()
        self._seen: set[bytes] = set()
        """Ids of events."""
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
            socket = await Socket.connect(self._host, self._port, "/v1/live", headers, heard)
            self._sockets.append(socket)
        await self._until_silent(CALM_SECONDS)

    async def send(self) -> None:
        """Post at the rate for the time asked."""
        self._before = [socket.events for socket in self._sockets]
        self._seen.clear()
        total = int(self._plan.rate * self._plan.seconds)
        began = self._began = time.perf_counter()
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

    async def settle(self) -> None:
        """Until every accepted message was pushed and no more come; not for ever."""
        deadline = time.perf_counter() + DRAIN_SECONDS
        while time.perf_counter() < deadline:
            quiet = time.perf_counter() - self._last_seen > QUIET_SECONDS
            if quiet and len(self._pushed) >= len(self._accepted):
                return
            await asyncio.sleep(0.2)

    async def finish(self) -> None:
        """Everything else that is on its way to the sockets, and the sums."""
        await self._until_silent(QUIET_SECONDS)
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._sum_up()

    async def _until_silent(self, seconds: float) -> None:
        deadline = time.perf_counter() + DRAIN_SECONDS
        before, now = -1, 0
        while now != before and time.perf_counter() < deadline:
            before = sum(socket.events for socket in self._sockets)
            await asyncio.sleep(seconds)
            now = sum(socket.events for socket in self._sockets)

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

    def _hearing(self, office: Place) -> Callable[[bytes], None]:
        """What is done with the frames of an organization."""

        def heard(payload: bytes) -> None:
            if not payload.startswith(EVENT):
                return
            if payload[ID] in self._seen:
                self.tally.repeated += 1
            self._seen.add(payload[ID])
            # Most of what comes is neither; it is not decoded.
            if b"message.received.v1" in payload:
                self._note_received(payload)
            elif b"ai.draft.generated.v1" in payload and self._random.random() < APPROVED:
                event = _events.decode(_frames.decode(payload).event)
                if event.type == "ai.draft.generated.v1":
                    self._spawn(self._approve(office, _drafted.decode(event.data).draft_id))

        return heard

    def _note_received(self, payload: bytes) -> None:
        """No socket here ever resumes: a message that comes again was pushed again."""
        now = time.perf_counter()
        event = _events.decode(_frames.decode(payload).event)
        if event.type != "message.received.v1":
            return
        self._last_seen = now
        number = int(_received.decode(event.data).text.rsplit("#", 1)[1])
        self._pushed[number] += 1
        if self._pushed[number] == 1:
            posted = self._posted[number]
            self.tally.latencies.append((posted - self._began, now - posted))

    async def _approve(self, office: Place, draft_id: str) -> None:
        status = await self._http.post(f"/v1/drafts/{draft_id}/approve", _signed_in(office), b"{}")
        if 200 <= status < 300:
            self.tally.approved += 1
        else:
            self._not_approved[status] += 1

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _sum_up(self) -> None:
        tally = self.tally
        tally.posted, tally.accepted = len(self._posted), len(self._accepted)
        tally.refused, tally.pushed = dict(self._refused), len(self._pushed)
        tally.not_approved = dict(self._not_approved)
        tally.lost = len(self._accepted - set(self._pushed))
        tally.doubled = sum(times - 1 for times in self._pushed.values())
        tally.resynced = sum(socket.resyncs for socket in self._sockets)
        tally.closed = sum(socket.is_closed for socket in self._sockets)
        self._compare()

    def _compare(self) -> None:
        """All sockets of an organization are its owner's, and see the same."""
        tally, offices = self.tally, len(self._plan.offices)
        came = [socket.events - before for socket, before in zip(self._sockets, self._before, strict=True)]
        tally.events = sum(came)
        for number in range(offices, len(came)):
            difference = came[number % offices] - came[number]
            tally.missing += max(difference, 0)
            tally.surplus += max(-difference, 0)


def _signed_in(office: Place) -> str:
    return f"Authorization: Bearer {office.bearer}\r\n"


async def main() -> None:
    """By standard input and output."""
    generator = Generator(msgspec.json.decode(sys.stdin.readline(), type=Plan))
    await generator.connect()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await generator.send()
    print("sent", flush=True)
    await generator.settle()
    print("pushed", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await generator.finish()
    print(msgspec.json.encode(generator.tally).decode(), flush=True)
    await asyncio.to_thread(sys.stdin.readline)  # what it spent is looked at before it goes


if __name__ == "__main__":
    uvloop.run(main())

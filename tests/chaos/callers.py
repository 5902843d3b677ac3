"""Those who call the fleet while it is broken: customers, somebody who asks every service, somebody who answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import UUID

from flotilla.ids import new_id
from flotilla.testing import eventually
from flotilla.testing.people import PASSWORD, Office, Person

from tests.chaos.gateways import Answered, Gateways
from tests.chaos.history import History

QUESTION: Final = "Hello, how long does delivery to Germany take?"
PATIENCE: Final = 180.0
"""Seconds that anything may take on a busy machine whose servers are being broken."""
STEPS: Final = [{"type": "wait", "amount": 2, "unit": "days"}]
READ: Final = {
    "auth": "/v1/me",
    "integrations": "/v1/accounts",
    "messaging": "/v1/conversations?limit=3",
    "crm": "/v1/contacts?limit=3",
    "ai": "/v1/drafts?limit=3",
    "pipeline": "/v1/deals?limit=3",
    "analytics": "/v1/goals",
    "billing": "/v1/subscription",
    "campaign": "/v1/sequences?limit=3",
    "automation": "/v1/rules?limit=3",
    "kyb": "/v1/counterparties?limit=3",
    "websocket": "/v1/notifications/unread-count",
    "gateway": "/v1/parked/gateway",
}
"""A route of each service."""
WRITTEN: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "pipeline": ("/v1/deals", {"title": "Somebody's"}),
    "campaign": ("/v1/sequences", {"name": "Later", "steps": STEPS}),
    "websocket": ("/v1/notifications/read", {}),
}
"""And of some what is cheap to make there; contacts are made, and changed, besides."""
IN_HAND: Final = 409
PACE: Final = 0.02
"""Seconds between two requests of the colleague."""


@dataclass
class Customers:
    """They write to the bot, each once, and again until that is answered 200, as Telegram does for them."""

    office: Office
    gateways: Gateways
    history: History = field(default_factory=History)
    _number: int = 0

    async def act(self) -> None:
        """One of them writes."""
        self._number += 1
        chat = 1000 + self._number
        office, bot = self.office, self.office.telegram.bots[self.office.token]
        words = f"{QUESTION} #{chat}"
        update = office.telegram.update(office.token, chat=chat, text=words, name=f"Customer {chat}")
        path = f"/v1/{bot.url.partition('/v1/')[2]}"
        headers = {"X-Telegram-Bot-Api-Secret-Token": bot.secret}
        await _insist(partial(self.gateways.ask, "POST", path, update, headers))
        self.history.acknowledged.add(UUID(int=chat))

    async def more(self, number: int = 8) -> None:
        """Wait for so many more that were answered."""
        wanted = len(self.history.acknowledged) + number

        async def come() -> bool:
            return len(self.history.acknowledged) >= wanted

        await eventually(come, seconds=PATIENCE, what=f"{number} more messages were taken")


@dataclass
class Colleague:
    """The office's owner, who asks each service in turn, and makes and changes contacts."""

    office: Office
    gateways: Gateways
    told: dict[UUID, int]
    """The highest sequence of each contact that crm told."""
    rounds: int = 0
    """How often every service was asked."""
    _person: Person | None = None

    async def sign_in(self) -> None:
        """Anew, now and then: a token lasts a quarter of an hour, and on a busy machine all of this takes longer."""
        owner = self.office.owner
        told = {"email": owner.user["email"], "password": PASSWORD}
        answered = await _insist(partial(self.gateways.ask, "POST", "/v1/sign-in", told))
        self._person = owner.signed_in(answered.json())

    async def act(self) -> None:
        """Ask every service once."""
        for service, path in READ.items():
            await self.ask("GET", path)
            if service in WRITTEN:
                await self.ask("POST", *WRITTEN[service])
            if service == "crm":
                await self._keep_contacts()
        self.rounds += 1

    async def more(self, number: int = 1) -> None:
        """Wait until every service was asked so often more, from now on."""
        wanted = self.rounds + number + 1

        async def come() -> bool:
            return self.rounds >= wanted

        await eventually(come, seconds=PATIENCE, what="every service was asked")

    async def _keep_contacts(self) -> None:
        made = await self.ask("POST", "/v1/contacts", {"name": "Somebody"})
        if made is None:
            return
        contact_id = made.json()["id"]
        self.told[UUID(contact_id)] = made.sequence
        if changed := await self.ask("PATCH", f"/v1/contacts/{contact_id}", {"name": "Somebody else"}):
            self.told[UUID(contact_id)] = changed.sequence

    async def ask(
        self, method: str, path: str, json: Any = None, key: str = "", fine: Sequence[int] = ()
    ) -> Answered | None:
        """One request, a writing one with an Idempotency-Key; `fine`: answers beside success that are no failures."""
        assert self._person is not None
        named = {} if method == "GET" else {"Idempotency-Key": key or str(new_id())}
        await asyncio.sleep(PACE)  # sleep: the pace of the load
        return await self.gateways.ask(method, path, json, {**self._person.headers, **named}, fine)


@dataclass
class Answerer:
    """The same person, who approves drafts, which then go out to the customers."""

    colleague: Colleague
    history: History = field(default_factory=History)
    """Of drafts."""

    async def act(self) -> None:
        """Approve the newest that nobody approved; what was begun is asked for again until it is answered."""
        drafts = await self.colleague.ask("GET", "/v1/drafts?state=generated&limit=2")
        for draft in drafts.json()["items"] if drafts else ():
            self.history.unknown.add(UUID(draft["id"]))
            await _insist(partial(self._approved, draft["id"]))
            self.history.acknowledged.add(UUID(draft["id"]))

    async def _approved(self, draft_id: str) -> Answered | None:
        """The answer; asked again with its key, it is the same. None as long as the first attempt is in hand (409)."""
        path = f"/v1/drafts/{draft_id}/approve"
        answered = await self.colleague.ask("POST", path, {}, key=draft_id, fine=(IN_HAND,))
        return answered if answered and answered.status != IN_HAND else None


Act = Callable[[], Awaitable[None]]


@asynccontextmanager
async def acting(*acts: Act, pause: float = 0.1) -> AsyncIterator[None]:
    """Each again and again while the block runs; what they have begun they finish."""
    stop = asyncio.Event()

    async def act_on(act: Act) -> None:
        while not stop.is_set():
            await act()
            await asyncio.sleep(pause)  # sleep: the pace of the load

    tasks = [asyncio.create_task(act_on(act)) for act in acts]
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(2 * PATIENCE):
            await asyncio.gather(*tasks)


async def _insist(ask: Callable[[], Awaitable[Answered | None]]) -> Answered:
    """Until it is answered."""
    answered = await eventually(ask, seconds=PATIENCE, what="the gateway takes it")
    assert answered is not None
    return answered

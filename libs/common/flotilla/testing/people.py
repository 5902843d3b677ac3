"""People of end-to-end tests and benches: they sign up, connect a bot, listen and answer."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from flotilla.testing import eventually
from flotilla.testing.harness import Answer
from flotilla.testing.simulators.telegram import TelegramSimulator

OWN_CUSTOMERS = {"region": "eu", "known": True, "reason": "Customers of our own, who may object"}
"""By which rule an organization may write to whom it knows; else it would need their consent."""
PASSWORD = "correct horse battery staple 7"  # noqa: S105 - of nobody
ARTICLE = (
    "Our delivery to Germany and Austria takes three to five working days. "
    "Delivery is free of charge for orders over 50 euros. "
    "Parcels are sent with a tracking number by e-mail."
)


@dataclass
class Person:
    """Somebody who calls the API; nobody in particular until they sign in."""

    base_url: str
    session: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request through the gateway; where it takes a recent proof, who signed in long ago gives it first.

        Bytes are sent as they are, in either place.
        """
        if isinstance(json, bytes):
            json, body = None, json
        answer = await self._ask(method, path, json, body, headers)
        if answer.status == 401 and self.tokens and answer.json()["type"].endswith("/step-up-required"):
            proven = await self._ask("POST", "/v1/step-up", {"password": PASSWORD}, None, None)
            if proven.status == 200:
                self.headers["Authorization"] = f"Bearer {proven.json()['access_token']}"
                return await self._ask(method, path, json, body, headers)
        return answer

    async def _ask(
        self, method: str, path: str, json: Any, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Answer:
        async with self.session.request(
            method,
            self.base_url + path,
            json=json,
            data=body,
            headers={**self.headers, **(headers or {})},
            allow_redirects=False,
        ) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.read())

    async def ok(self, method: str, path: str, json: Any = None, **options: Any) -> Any:
        """One request that must succeed: its decoded body."""
        answer = await self.call(method, path, json, **options)
        assert answer.status < 300, (method, path, answer.status, answer.body[:500])
        return answer.json() if answer.body else None

    def signed_in(self, tokens: dict[str, Any]) -> "Person":
        """The same caller with a session."""
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return Person(self.base_url, self.session, headers, tokens["user"], tokens)

    @asynccontextmanager
    async def live(self) -> AsyncIterator["Live"]:
        """This person's WebSocket."""
        url = self.base_url.replace("http", "ws", 1) + "/v1/live"
        async with self.session.ws_connect(url, headers=self.headers, protocols=("flotilla.v1",)) as socket:
            live = Live(socket)
            listening = asyncio.create_task(live.listen())
            try:
                await live.greeted()
                yield live
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)


class Live:
    """What a person sees live."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.events: list[dict[str, Any]] = []
        self.frames: list[dict[str, Any]] = []
        self._socket = socket
        self._more = asyncio.Event()

    async def listen(self) -> None:
        """Until the socket closes."""
        async for message in self._socket:
            frame = json.loads(message.data)
            self.frames.append(frame)
            if frame["type"] == "event":
                self.events.append(frame["event"])
            elif frame["type"] == "ping":
                await self._socket.send_json({"type": "pong"})
            self._more.set()

    async def greeted(self) -> None:
        """The server has said hello: from here on nothing is missed."""
        await self._until(lambda: any(frame["type"] == "hello" for frame in self.frames), 10, "hello")

    async def expect(
        self, type_: str, where: Callable[[dict[str, Any]], bool] = lambda _: True, *, seconds: float = 20
    ) -> dict[str, Any]:
        """The first event of the type whose `data` fits, waited for: the whole event."""

        def found() -> list[dict[str, Any]]:
            return [event for event in self.events if event["type"] == type_ and where(event["data"])]

        await self._until(lambda: bool(found()), seconds, type_)
        return found()[0]

    async def _until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not done():
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            seen = [event["type"] for event in self.events][-20:]
            raise AssertionError(f"no {what} within {seconds} s; seen: {seen}") from None


@dataclass
class Office:
    """An organization: its owner, its Telegram bot."""

    owner: Person
    telegram: TelegramSimulator
    token: str
    account_id: str

    @classmethod
    async def found(cls, nobody: Person, telegram: TelegramSimulator, name: str) -> "Office":
        """Sign up, connect a bot, write an article."""
        wanted = {
            "organization_name": name,
            "name": f"{name} owner",
            "email": f"{secrets.token_hex(6)}@example.org",
            "password": PASSWORD,
        }
        owner = nobody.signed_in(await nobody.ok("POST", "/v1/sign-up", wanted))
        token = telegram.add_bot(f"bot_{secrets.token_hex(3)}")
        account = await owner.ok("POST", "/v1/accounts", cls.connection(telegram, token))
        await eventually(lambda: cls._connected(owner, account["id"]), what="the bot is connected")
        article = {"title": "Delivery", "text": ARTICLE, "language": "en"}
        await owner.ok("POST", "/v1/knowledge/sources", article)
        return cls(owner, telegram, token, account["id"])

    @staticmethod
    def connection(telegram: TelegramSimulator, token: str) -> dict[str, Any]:
        """What connects a bot."""
        return {
            "connector": "telegram",
            "name": "Shop bot",
            "settings": {"api_base": telegram.address},
            "credentials": {"token": token},
        }

    @staticmethod
    async def _connected(owner: Person, account_id: str) -> bool:
        account = await owner.ok("GET", f"/v1/accounts/{account_id}")
        return bool(account["state"] == "connected")

    async def customer_writes(self, text: str, *, chat: int, name: str = "Iryna") -> dict[str, Any]:
        """A customer's message to the bot, delivered to the webhook that the bot was given."""
        return await self.telegram.customer_writes(self.token, chat=chat, text=text, name=name)

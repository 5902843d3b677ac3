"""The server of the simulated Bot API."""

import asyncio
import contextlib
import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from flotilla.testing.simulators.telegram.bots import (
    Bot,
    BotApiError,
    Drop,
    Fail,
    Flood,
    Hang,
    Misbehaviour,
    Sent,
    addressed,
    set_webhook,
)

HOST: Final = "127.0.0.1"
TOKEN: Final = re.compile(r"\d+:[A-Za-z0-9_-]{35}")
RETRY_SECONDS: Final = 0.2
"""How soon an update that was not accepted is delivered again; the real one waits longer."""


class TelegramSimulator:
    """The server; one of it may have many bots."""

    def __init__(self, *, any_token: bool = False, state: Path | None = None) -> None:
        """With `any_token` every well-formed token is a bot that knows everybody; `state` keeps webhooks."""
        self.address = ""
        """Where it listens: `http://127.0.0.1:<port>`."""
        self.sent: list[Sent] = []
        """What it took from bots, answered or not."""
        self.typing: list[tuple[str, int, str]] = []
        """(token, chat, action) of every chat action it was told."""
        self.bots: dict[str, Bot] = {}
        self._any_token = any_token
        self._state = state
        self._misbehaviours: deque[Misbehaviour] = deque()
        self._number = int(time.time())
        self._arrived = asyncio.Event()
        self._more_sent = asyncio.Event()
        if state is not None and state.exists():
            for token, (url, secret) in json.loads(state.read_text()).items():
                bot = self._bot(token)
                bot.url, bot.secret = url, secret

    @classmethod
    @asynccontextmanager
    async def running(
        cls, *, port: int = 0, any_token: bool = False, state: Path | None = None
    ) -> AsyncIterator["TelegramSimulator"]:
        """Listen on loopback, on a free port by default."""
        simulator = cls(any_token=any_token, state=state)
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", simulator._method)
        app.router.add_get("/simulator/sent", simulator._show_sent)
        app.router.add_post("/simulator/messages", simulator._write)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        simulator.address = f"http://{HOST}:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            delivering = asyncio.create_task(simulator._deliver(session))
            try:
                yield simulator
            finally:
                delivering.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await delivering
                await runner.cleanup()

    def add_bot(self, username: str = "harbour_bot") -> str:
        """A new bot: its token."""
        token = f"{self._next()}:{'A' * 35}"
        self.bots[token] = Bot(token, username)
        return token

    def revoke(self, token: str) -> None:
        """The token is good no more."""
        del self.bots[token]

    def block(self, token: str, chat: int) -> None:
        """The person of this chat blocked the bot."""
        self.bots[token].blocked_by.add(chat)

    def misbehave(self, *misbehaviours: Misbehaviour) -> None:
        """What the next calls of sendMessage meet, in order."""
        self._misbehaviours.extend(misbehaviours)

    def update(self, token: str, *, chat: int, text: str, name: str = "Iryna") -> dict[str, Any]:
        """An Update with a text message of a private chat; the person is known to the bot from now on."""
        self.bots[token].chats.add(chat)
        person = {"id": chat, "first_name": name, "username": f"user{chat}"}
        return {
            "update_id": self._next(),
            "message": {
                "message_id": self._next(),
                "from": {**person, "is_bot": False, "language_code": "uk"},
                "chat": {**person, "type": "private"},
                "date": int(time.time()),
                "text": text,
            },
        }

    async def customer_writes(
        self, token: str, *, chat: int, text: str, name: str = "Iryna"
    ) -> dict[str, Any]:
        """A person writes to the bot: the Update, which is delivered until the webhook accepts it."""
        update = self.update(token, chat=chat, text=text, name=name)
        self.deliver(token, update)
        return update

    def deliver(self, token: str, update: dict[str, Any]) -> None:
        """Deliver an Update to the bot's webhook, again and again until it is accepted."""
        self.bots[token].pending.append(update)
        self._arrived.set()

    async def expect_sent(self, number: int, *, seconds: float = 15.0) -> list[Sent]:
        """Wait until so many messages were taken: all of them; AssertionError after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.sent) < number:
                    self._more_sent.clear()
                    await self._more_sent.wait()
        except TimeoutError:
            raise AssertionError(f"{len(self.sent)} of {number} messages within {seconds} s") from None
        return list(self.sent)

    def _keep(self) -> None:
        if self._state is not None:
            hooks = {bot.token: (bot.url, bot.secret) for bot in self.bots.values() if bot.url}
            self._state.write_text(json.dumps(hooks))

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _method(self, request: web.Request) -> web.Response:
        try:
            bot = self._bot(request.match_info["token"])
            arguments = await _arguments(request)
            result = await self._call(bot, request.match_info["method"], arguments, request)
        except BotApiError as error:
            body: dict[str, Any] = {"ok": False, "error_code": error.status, "description": error.description}
            if error.parameters:
                body["parameters"] = error.parameters
            return web.json_response(body, status=error.status)
        return web.json_response({"ok": True, "result": result})

    def _bot(self, token: str) -> Bot:
        if token not in self.bots and self._any_token and TOKEN.fullmatch(token):
            self.bots[token] = Bot(token, f"bot{token.split(':')[0]}", knows_everybody=True)
        if token not in self.bots:
            raise BotApiError(401, "Unauthorized")
        return self.bots[token]

    async def _call(self, bot: Bot, method: str, arguments: dict[str, Any], request: web.Request) -> Any:
        match method.lower():
            case "getme":
                return bot.user
            case "setwebhook":
                set_webhook(bot, arguments)
                self._keep()
                self._arrived.set()
                return True
            case "getwebhookinfo":
                return {
                    "url": bot.url,
                    "has_custom_certificate": False,
                    "pending_update_count": len(bot.pending),
                    **({"last_error_message": bot.last_error} if bot.last_error else {}),
                }
            case "deletewebhook":
                bot.url = bot.secret = ""
                self._keep()
                return True
            case "sendchataction":
                chat, _ = addressed(bot, {**arguments, "text": "-"})
                self.typing.append((bot.token, chat, str(arguments.get("action"))))
                return True
            case "sendmessage":
                return await self._send_message(bot, arguments, request)
        raise BotApiError(404, "Not Found")

    async def _send_message(
        self, bot: Bot, arguments: dict[str, Any], request: web.Request
    ) -> dict[str, Any]:
        chat, text = addressed(bot, arguments)
        misbehaviour = self._misbehaviours.popleft() if self._misbehaviours else None
        match misbehaviour:
            case Flood(retry_after):
                raise BotApiError(
                    429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after}
                )
            case Fail(status, description):
                raise BotApiError(status, description)
        sent = Sent(bot.token, self._next(), chat, text)
        self.sent.append(sent)
        self._more_sent.set()
        match misbehaviour:
            case Hang(seconds):
                await asyncio.sleep(seconds)
            case Drop():
                assert request.transport is not None
                request.transport.abort()
        return {
            "message_id": sent.message_id,
            "from": bot.user,
            "chat": {"id": chat, "type": "private"},
            "date": int(time.time()),
            "text": text,
        }

    async def _deliver(self, session: aiohttp.ClientSession) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            for bot in list(self.bots.values()):
                while bot.pending and bot.url:
                    if not await self._accepted(session, bot, bot.pending[0]):
                        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._arrived.set)
                        break
                    bot.pending.popleft()

    async def _accepted(self, session: aiohttp.ClientSession, bot: Bot, update: dict[str, Any]) -> bool:
        headers = {"X-Telegram-Bot-Api-Secret-Token": bot.secret} if bot.secret else {}
        try:
            async with session.post(bot.url, json=update, headers=headers) as answer:
                bot.last_error = "" if answer.ok else f"Wrong response from the webhook: {answer.status}"
                return answer.ok
        except (aiohttp.ClientError, TimeoutError):
            bot.last_error = "Connection refused"
            return False

    async def _show_sent(self, _: web.Request) -> web.Response:
        return web.json_response([vars(sent) for sent in self.sent])

    async def _write(self, request: web.Request) -> web.Response:
        """`{"token", "chat", "text", "name"}`; without `token` to the first bot that has a webhook."""
        wanted = await request.json()
        hooked = next((bot.token for bot in self.bots.values() if bot.url), "")
        token = wanted.get("token") or hooked
        if token not in self.bots:
            return web.json_response({"error": "no bot has a webhook yet"}, status=409)
        update = await self.customer_writes(
            token,
            chat=int(wanted.get("chat", 1001)),
            text=str(wanted["text"]),
            name=wanted.get("name", "Iryna"),
        )
        return web.json_response(update)


async def _arguments(request: web.Request) -> dict[str, Any]:
    """Of the query, a form or a JSON body: the Bot API takes all."""
    found: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json" and request.can_read_body:
        try:
            found |= await request.json()
        except ValueError:
            raise BotApiError(400, "Bad Request: can't parse JSON object") from None
    elif request.method == "POST":
        found |= dict(await request.post())
    return found

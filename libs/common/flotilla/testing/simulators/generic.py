"""A shop's own program at the other end of the generic channel: signed HTTP in both directions.

It takes what the channel posts to `/receive`, verifies it (Standard Webhooks 1.0, symmetric), and lets customers
write: `POST /simulator/messages` signs the message and posts it to the account's hook, until it is accepted.
`PUT /simulator/connection` tells it the account's secret and hook.

`python -m flotilla.testing.simulators.generic --port 8091` runs it for development.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from flotilla.testing.serving import serving

ATTEMPTS: Final = 25
RETRY_SECONDS: Final = 0.2


class ShopSimulator:
    """The program; one account is connected to it at a time."""

    def __init__(self, state: Path | None = None) -> None:
        """`state` keeps the connection from run to run."""
        self.address = ""
        """Where it listens: `http://127.0.0.1:<port>`."""
        self.sent: list[dict[str, Any]] = []
        """What it took for customers: `{"message_id", "chat", "text"}`, each once."""
        self._state = state
        self._secret = self._hook = ""
        self._more_sent = asyncio.Event()
        self._http: aiohttp.ClientSession
        if state is not None and state.exists():
            kept = json.loads(state.read_text())
            self._secret, self._hook = kept["secret"], kept["hook_url"]

    @classmethod
    @asynccontextmanager
    async def running(cls, *, port: int = 0, state: Path | None = None) -> AsyncIterator["ShopSimulator"]:
        """Listen on loopback, on a free port by default."""
        shop = cls(state)
        app = web.Application()
        app.router.add_post("/receive", shop._receive)
        app.router.add_put("/simulator/connection", shop._connection)
        app.router.add_post("/simulator/messages", shop._message)
        app.router.add_get("/simulator/sent", shop._show_sent)
        patience = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(timeout=patience) as shop._http, serving(app, port) as shop.address:
            yield shop

    def connect(self, secret: str, hook_url: str) -> None:
        """Sign with this, and post what customers write there."""
        self._secret, self._hook = secret, hook_url
        if self._state is not None:
            descriptor = os.open(self._state, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump({"secret": secret, "hook_url": hook_url}, file)

    async def customer_writes(self, *, chat: str, text: str, name: str) -> None:
        """A customer's message, delivered again and again until the hook accepts it."""
        message_id = uuid.uuid4().hex
        data = {
            "id": message_id,
            "chat": chat,
            "sender": {"address": chat, "name": name},
            "text": text,
            "sent_at": datetime.now(UTC).isoformat(),
        }
        body = json.dumps({"type": "message.received", "data": data}).encode()
        for _ in range(ATTEMPTS):
            headers = {"content-type": "application/json", **self._signature(message_id, body)}
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._http.post(self._hook, data=body, headers=headers) as answer:
                    if answer.ok:
                        return
            await asyncio.sleep(RETRY_SECONDS)
        raise web.HTTPBadGateway(text=f"{self._hook} does not accept the message")

    async def expect_sent(self, number: int, *, seconds: float = 15.0) -> list[dict[str, Any]]:
        """Wait until so many messages were taken: all of them; AssertionError after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.sent) < number:
                    self._more_sent.clear()
                    await self._more_sent.wait()
        except TimeoutError:
            raise AssertionError(f"{len(self.sent)} of {number} messages within {seconds} s") from None
        return list(self.sent)

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        message_id, stamp = (
            request.headers.get("webhook-id", ""),
            request.headers.get("webhook-timestamp", ""),
        )
        expected = self._signature(message_id, body, stamp)["webhook-signature"]
        if not hmac.compare_digest(expected, request.headers.get("webhook-signature", "")):
            return web.json_response({"error": "the signature is not right"}, status=400)
        said = json.loads(body)
        if said["type"] == "message.send":
            if said["data"] not in self.sent:
                self.sent.append(said["data"])
                self._more_sent.set()
            return web.json_response({"id": said["data"]["message_id"]})
        return web.json_response({})

    async def _connection(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        self.connect(str(wanted["secret"]), str(wanted.get("hook_url", "")))
        return web.json_response({})

    async def _message(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        if not self._hook:
            return web.json_response({"error": "no account is connected yet"}, status=409)
        name = str(wanted.get("name", "Iryna"))
        await self.customer_writes(chat=str(wanted.get("chat", "1001")), text=str(wanted["text"]), name=name)
        return web.json_response({})

    async def _show_sent(self, _: web.Request) -> web.Response:
        return web.json_response(self.sent)

    def _signature(self, message_id: str, body: bytes, stamp: str = "") -> Mapping[str, str]:
        stamp = stamp or str(int(time.time()))
        key = base64.b64decode(self._secret.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


async def serve(port: int, state: Path | None) -> None:
    """Run until interrupted."""
    async with ShopSimulator.running(port=port, state=state) as shop:
        print(f"A shop's own program is simulated on {shop.address}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description="A program at the other end of the generic channel.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, help="a file that keeps the connection from run to run")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.port, arguments.state))


if __name__ == "__main__":
    main()

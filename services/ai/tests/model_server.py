"""A server that speaks chat completions as hosted models do: streamed, with tool calls, and failing on demand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

Delta = dict[str, Any]
Answering = Callable[[dict[str, Any]], list[Delta]]
"""From a request's body to the deltas of its answer."""


def says(text: str) -> list[Delta]:
    """An answer, a word at a time."""
    return [{"content": word} for word in text.split(" ") for word in (word, " ")][:-1]


def calls(name: str, arguments: str) -> list[Delta]:
    """A tool call, its arguments in two pieces."""
    half = len(arguments) // 2
    head = {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
    pieces = (arguments[:half], arguments[half:])
    tail = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
    return [{"tool_calls": [call]} for call in (head, *tail)]


@dataclass
class ModelServer:
    """The server, what it was asked, and how it answers."""

    base_url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    answering: Answering = lambda body: says("NOTHING_KNOWN")
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    released: asyncio.Event | None = None
    """Where set, answers wait for it."""

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["ModelServer"]:
        """On a free port of the loopback."""
        server = cls()
        application = web.Application()
        application.router.add_post("/v1/chat/completions", server._complete)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        server.base_url = f"http://127.0.0.1:{port}/v1"
        try:
            yield server
        finally:
            await runner.cleanup()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read())
        self.requests.append(body)
        self.keys.append(request.headers.get("Authorization", ""))
        if self.status != 200:
            error = {"error": {"message": "not now", "type": "server_error"}}
            return web.json_response(error, status=self.status, headers=self.headers)
        if self.released is not None:
            await self.released.wait()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for delta in self.answering(body):
            await response.write(_event([{"index": 0, "delta": delta, "finish_reason": None}]))
        await response.write(_event([], {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}))
        await response.write(b"data: [DONE]\n\n")
        return response


def _event(choices: list[Any], usage: dict[str, int] | None = None) -> bytes:
    chunk = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "test",
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"

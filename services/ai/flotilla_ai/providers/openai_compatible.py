"""Any address that speaks OpenAI's chat completions: OpenAI, Anthropic, Gemini, YandexGPT, a model of one's own.

Answers are streamed; the model may call `search_knowledge` a few times before it answers.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
from flotilla.outside import forbid_in_transaction

from flotilla_ai.domain.knowledge import Hit
from flotilla_ai.providers.base import Answer, ProviderBusyError, ProviderError, Question, Search
from flotilla_ai.providers.prompt import NOTHING, SEARCH, TOOLS, cited_in, messages_for, passages

if TYPE_CHECKING:
    import httpx2
    import openai

ROUNDS: Final = 4
"""Answers to tool calls included; in the last no tool may be called."""
LONGEST_ANSWER: Final = 800
"""Tokens."""
LONGEST_TEXT: Final = 16_000
"""Characters after which a stream is not read on."""
RETRIES: Final = 2
BUSY_SECONDS: Final = 5.0


@dataclass
class _Turn:
    """What one streamed completion said."""

    text: str = ""
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0


class _SearchCall(msgspec.Struct):
    query: str


class OpenAiCompatible:
    """A model behind one address."""

    def __init__(
        self, http: "httpx2.AsyncClient", *, base_url: str, model: str, api_key: str, seconds: float
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._model = model
        self._api_key = api_key
        self._seconds = seconds

    async def answer(self, question: Question, search: Search) -> Answer:
        """One draft; ProviderError where there is none to be had."""
        return await self._ask(lambda client: self._converse(client, question, search))

    async def complete(self, messages: list[dict[str, Any]]) -> Answer:
        """What the model says to these messages, without tools; ProviderError where it says nothing."""
        return await self._ask(lambda client: self._complete(client, messages))

    async def _ask(self, conversing: "Callable[[openai.AsyncOpenAI], Awaitable[Answer]]") -> Answer:
        forbid_in_transaction("a model")
        # Thirty megabytes and half a second, only where an organization has chosen a hosted model.
        openai = await asyncio.to_thread(importlib.import_module, "openai")
        client = openai.AsyncOpenAI(
            base_url=self._base_url,
            api_key=self._api_key or "none",
            http_client=self._http,
            timeout=self._seconds,
            max_retries=RETRIES,
        )
        try:
            async with asyncio.timeout(self._seconds):
                return await conversing(client)
        except openai.RateLimitError as error:
            raise ProviderBusyError(_wait_of(error)) from error
        except (openai.OpenAIError, TimeoutError) as error:
            raise ProviderError(f"{type(error).__name__} from the provider") from error

    async def _converse(self, client: "openai.AsyncOpenAI", question: Question, search: Search) -> Answer:
        messages, hits = messages_for(question), list(question.hits)
        used = [0, 0]
        for last in (False,) * (ROUNDS - 1) + (True,):
            turn = await self._turn(client, messages, last)
            used = [used[0] + turn.input_tokens, used[1] + turn.output_tokens]
            if not turn.calls or last:
                return self._read(turn.text, hits, used)
            messages.append(_assistant(turn))
            for call in turn.calls.values():
                messages.append(_tool_answer(call, hits, search))
        raise AssertionError("unreachable")

    async def _complete(self, client: "openai.AsyncOpenAI", messages: list[dict[str, Any]]) -> Answer:
        turn = await self._turn(client, messages, last=True)
        return self._read(turn.text, [], [turn.input_tokens, turn.output_tokens])

    async def _turn(self, client: "openai.AsyncOpenAI", messages: list[dict[str, Any]], last: bool) -> _Turn:
        # The messages are dicts as the interface has them; its own classes differ with each version.
        create: Any = client.chat.completions.create
        stream = await create(
            model=self._model,
            messages=messages,
            tools=TOOLS,
            tool_choice="none" if last else "auto",
            temperature=0.2,
            max_tokens=LONGEST_ANSWER,
            stream=True,
            stream_options={"include_usage": True},
        )
        turn = _Turn()
        async with stream:
            async for chunk in stream:
                if chunk.usage is not None:
                    turn.input_tokens = chunk.usage.prompt_tokens
                    turn.output_tokens = chunk.usage.completion_tokens
                for choice in chunk.choices[:1]:
                    _take(turn, choice.delta)
                if len(turn.text) > LONGEST_TEXT:
                    break
        return turn

    def _read(self, text: str, hits: list[Hit], used: list[int]) -> Answer:
        if not text.strip():
            raise ProviderError("the provider said nothing")
        said, cited = ("", ()) if NOTHING in text else cited_in(text, hits)
        return Answer(said, cited, self._model, used[0], used[1])


def _take(turn: _Turn, delta: Any) -> None:
    turn.text += delta.content or ""
    for part in delta.tool_calls or ():
        call = turn.calls.setdefault(part.index, {"id": "", "name": "", "arguments": ""})
        call["id"] = part.id or call["id"]
        if part.function is not None:
            call["name"] += part.function.name or ""
            call["arguments"] += part.function.arguments or ""


def _assistant(turn: _Turn) -> dict[str, Any]:
    calls = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for call in turn.calls.values()
    ]
    return {"role": "assistant", "content": turn.text or None, "tool_calls": calls}


def _tool_answer(call: dict[str, str], hits: list[Hit], search: Search) -> dict[str, Any]:
    """What a tool call gives; passages found go on counting, so that each can be cited."""
    try:
        if call["name"] != SEARCH:
            raise msgspec.ValidationError(f"there is no tool {call['name']!r}")
        query = msgspec.json.decode(call["arguments"], type=_SearchCall).query
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        return {"role": "tool", "tool_call_id": call["id"], "content": f"Error: {error}"}
    known = {hit.chunk.id for hit in hits}
    new = [hit for hit in search(query) if hit.chunk.id not in known]
    content = passages(new, len(hits) + 1)
    hits.extend(new)
    return {"role": "tool", "tool_call_id": call["id"], "content": content}


def _wait_of(error: "openai.RateLimitError") -> timedelta:
    try:
        seconds = float(error.response.headers.get("retry-after", BUSY_SECONDS))
    except ValueError:
        seconds = BUSY_SECONDS
    return timedelta(seconds=min(max(seconds, 0.5), 30.0))

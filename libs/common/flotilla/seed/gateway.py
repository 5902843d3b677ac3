"""The gateway's API, as the demo's people use it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec

LIMIT_SECONDS: Final = aiohttp.ClientTimeout(total=20)


class SeedError(RuntimeError):
    """The demo could not be made; says what was refused."""


class RefusedError(SeedError):
    """The API answered with a problem."""

    def __init__(self, method: str, path: str, status: int, problem: Mapping[str, Any]) -> None:
        said = problem.get("detail") or problem.get("title") or "no reason given"
        super().__init__(f"{method} {path} answered {status}: {said} {problem.get('errors', '')}".rstrip())
        self.status = status


@dataclass(frozen=True)
class Gateway:
    """One caller: nobody in particular until `signed_in`."""

    url: str
    http: aiohttp.ClientSession
    token: str | None = None

    def signed_in(self, token: str) -> "Gateway":
        """The same API, called by the holder of an access token."""
        return Gateway(self.url, self.http, token)

    async def get(self, path: str) -> Any:
        """Read one thing."""
        return await self.call("GET", path)

    async def post(self, path: str, body: Any = None, *, once: str | None = None) -> Any:
        """Make or do; `once` names it, so that a repetition is known as one (Idempotency-Key)."""
        key = hashlib.sha256(once.encode()).hexdigest() if once else None
        return await self.call("POST", path, body, {"Idempotency-Key": key} if key else None)

    async def patch(self, path: str, body: Any) -> Any:
        """Change."""
        return await self.call("PATCH", path, body)

    async def every(self, path: str) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        items: list[dict[str, Any]] = []
        joined = "&" if "?" in path else "?"
        cursor = ""
        while True:
            found = await self.get(f"{path}{joined}limit=200{cursor}")
            items += found["items"]
            if not found["next_cursor"]:
                return items
            cursor = f"&cursor={quote(found['next_cursor'])}"

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """One request; RefusedError where the answer is a problem."""
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        content = None if body is None else msgspec.json.encode(body)
        try:
            async with self.http.request(method, self.url + path, data=content, headers=sent) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SeedError(f"{method} {path}: the gateway on {self.url} does not answer: {error}") from error
        try:
            said = msgspec.json.decode(raw) if raw else None
        except msgspec.DecodeError:
            said = None
        if answer.status >= 400:
            raise RefusedError(method, path, answer.status, said if isinstance(said, dict) else {})
        return said

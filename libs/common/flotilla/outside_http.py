"""The one client for HTTP calls to the outside: time limit, retries where safe, circuit breaker, guard.

    async with OutsideHttp.opened() as http:
        response = await http.request("POST", url, json=body, limit=10)

Raises `OutsideUnreachableError` where the request surely did not reach the other side, and
`OutsideUncertainError` where it may have: what is not safe to repeat must tell the two apart.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import msgspec
import yarl

from flotilla.breaker import Breaker
from flotilla.outside import forbid_in_transaction

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
RETRIES: Final = 2
MAX_RESPONSE_BYTES: Final = 8 << 20


class OutsideError(Exception):
    """The outside could not be asked."""


class OutsideUnreachableError(OutsideError):
    """The request did not reach the other side: it may be repeated."""


class OutsideUncertainError(OutsideError):
    """The request may have reached the other side; its answer is lost."""


class CircuitOpenError(OutsideUnreachableError):
    """This host failed again and again a moment ago; it is not asked until it has had a rest."""


@dataclass(frozen=True, slots=True)
class OutsideResponse:
    """An answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body; msgspec.DecodeError where it is no JSON."""
        return msgspec.json.decode(self.body)


@dataclass
class OutsideHttp:
    """A pool of connections to the outside, for one process."""

    session: aiohttp.ClientSession
    _breakers: dict[str, Breaker] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def opened(cls, **connector: Any) -> AsyncIterator["OutsideHttp"]:
        """Open the pool; `connector` goes to aiohttp's TCPConnector (a resolver that refuses addresses)."""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(**{"limit": 100, "limit_per_host": 20, **connector}),
            headers={"User-Agent": "Flotilla/1"},
            cookie_jar=aiohttp.DummyCookieJar(),  # one organization's session is not the next one's
        ) as session:
            yield cls(session)

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        limit: float = 10.0,
        repeatable: bool | None = None,
    ) -> OutsideResponse:
        """One request; `limit` in seconds for each try, at most half of it to connect.

        Repeated where `repeatable` (by default: safe methods).
        Any status is an answer; 5xx of a repeatable request is tried again, then returned.
        """
        forbid_in_transaction("HTTP")
        repeatable = method in SAFE_METHODS if repeatable is None else repeatable
        content = msgspec.json.encode(json) if json is not None else body
        sent = {"Content-Type": "application/json", **(headers or {})} if json is not None else headers
        for attempt in range(RETRIES + 1):
            last = attempt == RETRIES
            try:
                response = await self._once(method, url, content, sent, limit)
            except OutsideUncertainError:
                if last or not repeatable:
                    raise
            except CircuitOpenError:
                raise
            except OutsideUnreachableError:
                if last:
                    raise
            else:
                if response.status < 500 or last or not repeatable:
                    return response
            await asyncio.sleep(random.uniform(0.1, 0.4) * 2**attempt)
        raise AssertionError("unreachable")

    async def _once(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str] | None, limit: float
    ) -> OutsideResponse:
        where = yarl.URL(url)
        host = f"{where.host}:{where.port}"  # without a password that may stand before it
        breaker = self._breakers.setdefault(host, Breaker())
        if breaker.is_open:
            raise CircuitOpenError(f"{host} is given a rest")
        try:
            async with self.session.request(
                method,
                url,
                data=content,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=limit, connect=min(limit / 2, 5.0)),
            ) as answer:
                text = await _read(answer)
                breaker.record(answer.status < 500)
                return OutsideResponse(answer.status, dict(answer.headers), text)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            breaker.record(False)
            raise OutsideUnreachableError(f"{host} cannot be reached") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            breaker.record(False)
            raise OutsideUncertainError(f"{host} took the request and did not answer") from error


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > MAX_RESPONSE_BYTES:
            raise aiohttp.ClientPayloadError(f"more than {MAX_RESPONSE_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)

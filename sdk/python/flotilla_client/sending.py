"""How requests are sent: by whom, again where that is safe, and once however often they are sent."""

import asyncio
import random
import time
import uuid
from collections.abc import Generator
from typing import Final

import httpx

from flotilla_client.problems import problem_of, retry_after

SAFE: Final = ("GET", "HEAD", "OPTIONS")
AGAIN: Final = (429, 502, 503, 504)
_LEEWAY_SECONDS: Final = 30.0
Plan = Generator[httpx.Request | float, httpx.Response | Exception | None, httpx.Response]
"""Yields a request to be sent, and is sent its answer or what went wrong; or yields seconds to wait."""


class KeyAuth(httpx.Auth):
    """An API key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with the key."""
        request.headers["X-Api-Key"] = self._key
        yield request


class TokenAuth(httpx.Auth):
    """An access token that somebody else keeps fresh."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with the token."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class ClientCredentials(httpx.Auth):
    """Access tokens of an OAuth client (RFC 6749 section 4.4), each fetched shortly before the last one ends."""

    requires_response_body = True

    def __init__(self, base_url: str, client_id: str, client_secret: str) -> None:
        self._url = httpx.URL(base_url).join("/v1/oauth/token")
        self._basic = httpx.BasicAuth(client_id, client_secret)
        self._token = ""
        self._until = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with a token; once more with a new one where the token is not good any more."""
        if time.monotonic() >= self._until:
            yield from self._fetch()
        request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            yield from self._fetch()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _fetch(self) -> Generator[httpx.Request, httpx.Response, None]:
        asked = httpx.Request("POST", self._url, data={"grant_type": "client_credentials"})
        answer = yield next(self._basic.auth_flow(asked))
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise problem_of(answer)
        told = answer.json()
        self._token = told["access_token"]
        self._until = time.monotonic() + told["expires_in"] - _LEEWAY_SECONDS


def plan(request: httpx.Request, attempts: int, patience: float) -> Plan:
    """Send, and send again while that is safe: at most so often, waiting at most `patience` seconds in all.

    A write carries an Idempotency-Key, the same each time: however often it arrives, it is done once.
    """
    if request.method not in SAFE:
        request.headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
    waited = 0.0
    for attempt in range(1, attempts + 1):
        came = yield request
        pause = _pause(came, attempt)
        if pause is None or attempt == attempts or waited + pause > patience:
            break
        waited += pause
        yield pause
    if isinstance(came, Exception):
        raise came
    assert came is not None
    return came


def _pause(came: httpx.Response | Exception | None, attempt: int) -> float | None:
    """Seconds until the next try; None where there should be none."""
    if isinstance(came, httpx.Response):
        if came.status_code not in AGAIN:
            return None
        said = retry_after(came)
        if said is not None:
            return said + random.uniform(0, 0.1)
    elif not isinstance(came, httpx.TransportError):
        return None
    return random.uniform(0.5, 1) * 0.2 * 2.0**attempt


class Sending(httpx.BaseTransport):
    """The plan, carried out."""

    def __init__(self, inner: httpx.BaseTransport, attempts: int, patience: float) -> None:
        self._inner, self._attempts, self._patience = inner, attempts, patience

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer; problems are raised by the client."""
        request.read()
        steps = plan(request, self._attempts, self._patience)
        came: httpx.Response | Exception | None = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                answer: httpx.Response = end.value
                return answer
            if isinstance(step, httpx.Request):
                came = self._once(step)
            else:
                if isinstance(came, httpx.Response):
                    came.close()
                time.sleep(step)
                came = None

    def _once(self, request: httpx.Request) -> httpx.Response | Exception:
        try:
            return self._inner.handle_request(request)
        except httpx.TransportError as error:
            return error

    def close(self) -> None:
        """Close connections."""
        self._inner.close()


class AsyncSending(httpx.AsyncBaseTransport):
    """The plan, carried out without blocking."""

    def __init__(self, inner: httpx.AsyncBaseTransport, attempts: int, patience: float) -> None:
        self._inner, self._attempts, self._patience = inner, attempts, patience

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer; problems are raised by the client."""
        await request.aread()
        steps = plan(request, self._attempts, self._patience)
        came: httpx.Response | Exception | None = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                answer: httpx.Response = end.value
                return answer
            if isinstance(step, httpx.Request):
                came = await self._once(step)
            else:
                if isinstance(came, httpx.Response):
                    await came.aclose()
                await asyncio.sleep(step)
                came = None

    async def _once(self, request: httpx.Request) -> httpx.Response | Exception:
        try:
            return await self._inner.handle_async_request(request)
        except httpx.TransportError as error:
            return error

    async def aclose(self) -> None:
        """Close connections."""
        await self._inner.aclose()

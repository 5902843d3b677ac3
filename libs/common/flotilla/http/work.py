"""What one request does: at most one transaction, committed before the answer is sent.

A route asks for `Tx` and has the transaction open from the start; or for `Work`, does outside work that is
idempotent first, and then calls `await work.begin()`. The route class commits after the response is made, and
stores that response beside it where the request carries an Idempotency-Key
(draft-ietf-httpapi-idempotency-key-header).
"""

import hashlib
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import Depends, Request, Response

from flotilla.app import App
from flotilla.cause import Cause
from flotilla.problems import ConflictError, UnprocessableError
from flotilla.security.principal import ANONYMOUS, Principal
from flotilla.store import answers
from flotilla.store.postgres import Transaction

STORED_HEADERS = ("content-type", "location", "etag")


def route_of(request: Request, otherwise: str = "") -> str:
    """The path of its route, as documented; `otherwise` where it has come to none."""
    route: str = getattr(request.scope.get("route"), "path", otherwise)
    return route


class Replay(Exception):  # noqa: N818 - not an error: the stored answer of an earlier, same request
    """Ends the request with the answer that the same request got before."""

    def __init__(self, response: Response) -> None:
        self.response = response


class RequestWork:
    """The transaction of one request, not yet begun."""

    def __init__(self, app: App, request: Request, who: Principal, cause: Cause) -> None:
        self.app = app
        self.who = who
        self.cause = cause
        self._request = request
        self._stack = AsyncExitStack()
        self._tx: Transaction | None = None
        # Nobody's requests are not told apart: what one was answered (a token) is not for the next.
        keyed = request.method != "GET" and who is not ANONYMOUS
        self._key = request.headers.get("idempotency-key") if keyed else None
        self._fingerprint = b""

    @property
    def idempotency_key(self) -> str | None:
        """The caller's key: what ids of things made outside before `begin` are derived from."""
        return self._key

    @property
    def transaction(self) -> Transaction | None:
        """The request's own, where it has begun."""
        return self._tx

    async def begin(self, read: bytes | None = None) -> Transaction:
        """Open the transaction, once; with an Idempotency-Key seen before, end with its answer.

        `read` is the body where the route has read it as it came: nobody can read it a second time.
        """
        if self._tx is None:
            body = b"" if not self._key else await self._request.body() if read is None else read
            self._tx = await self._stack.enter_async_context(
                self.app.db.transaction(self.who.orgs, cause=self.cause)
            )
            if self._key:
                await self._claim(self._tx, self._key, body)
        return self._tx

    async def commit(self, response: Response) -> None:
        """Store the answer where it is asked for, then commit."""
        if self._tx and self._key and response.status_code < 400:
            headers = {name: response.headers[name] for name in STORED_HEADERS if name in response.headers}
            await self._tx.execute(
                "INSERT INTO idempotency_keys (scope, key, fingerprint, status, headers, body)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                self._scope(),
                self._key,
                self._fingerprint,
                response.status_code,
                headers,
                answers.seal(self.app.keyring, self._scope(), self._key, bytes(response.body)),
            )
        await self._stack.aclose()

    async def roll_back(self, error: BaseException) -> BaseException:
        """Undo everything; the error under its right name, for a lost connection shows as many things in asyncpg."""
        try:
            await self._stack.__aexit__(type(error), error, error.__traceback__)
        except Exception as named:
            return named
        return error

    def _scope(self) -> str:
        route = route_of(self._request, self._request.url.path)
        return f"{self.who.org}:{self.who.actor}:{self._request.method} {route}"

    async def _claim(self, tx: Transaction, key: str, body: bytes) -> None:
        if len(key) > 255:
            raise UnprocessableError("An Idempotency-Key has at most 255 characters.")
        url = self._request.url
        asked = f"{url.path}?{url.query}" if url.query else url.path
        self._fingerprint = hashlib.sha256(asked.encode() + b"\n" + body).digest()
        scope = self._scope()
        if not await tx.fetchval(
            "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", f"{scope}\n{key}"
        ):
            raise ConflictError("A request with this Idempotency-Key is being worked on.")
        row = await tx.fetchrow("SELECT * FROM idempotency_keys WHERE scope = $1 AND key = $2", scope, key)
        if row is None:
            return
        if row["fingerprint"] != self._fingerprint:
            raise UnprocessableError("This Idempotency-Key was used for another request: choose a new one.")
        answer = answers.open_(self.app.keyring, scope, key, row["body"])
        if answer is None:
            raise ConflictError("This request was done; its answer is no longer kept.")
        raise Replay(Response(answer, row["status"], {**row["headers"], "idempotent-replayed": "true"}))


def _work_of(request: Request) -> RequestWork:
    work: RequestWork = request.state.work
    return work


# Coroutines, all of these: FastAPI runs a plain function in a thread, at several times its cost.
async def _work(request: Request) -> RequestWork:
    return _work_of(request)


async def _tx(request: Request) -> Transaction:
    return await _work_of(request).begin()


async def _who(request: Request) -> Principal:
    return _work_of(request).who


async def _app(request: Request) -> App:
    app: App = request.app.state.app
    return app


Work = Annotated[RequestWork, Depends(_work)]
"""The request's transaction, to be begun by the route itself."""
Tx = Annotated[Transaction, Depends(_tx)]
"""The request's transaction, open."""
Who = Annotated[Principal, Depends(_who)]
"""Who asks; `ANONYMOUS` on public routes."""
CurrentApp = Annotated[App, Depends(_app)]
"""The process."""

__all__ = ["ANONYMOUS", "CurrentApp", "Replay", "RequestWork", "Tx", "Who", "Work"]

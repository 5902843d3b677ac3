"""A service's connections to Postgres: few, alike, and without state between transactions."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import asyncpg
import msgspec

from flotilla.security.reach import Reach
from flotilla.telemetry import metrics

WAIT_SECONDS: Final = 10.0
SLOW_SECONDS: Final = 0.5
"""A statement that takes so long is counted here, and told in PostgreSQL's log (`log_min_duration_statement`)."""


class StoreAwayError(ConnectionError):
    """The connection to Postgres was lost: nothing was committed, or nobody knows."""


async def open_pool(dsn: str, connections: int) -> asyncpg.Pool:
    """At most `connections`; a statement that takes half a minute fails."""
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=connections,
        command_timeout=30,
        timeout=10,
        init=_prepare,
        reset=_leave_as_is,
        connection_class=_Counted,
    )


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=_dump, decoder=msgspec.json.decode, schema="pg_catalog")


class _Counted(asyncpg.Connection):  # type: ignore[misc]  # asyncpg says no types
    """Counts what it sends. asyncpg's own way, a query logger, costs a record and a turn of the loop a statement."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        if args:  # it goes the other way, and is counted there
            tag: str = await super().execute(query, *args, timeout=timeout)
            return tag
        metrics.STATEMENTS.inc()
        if query.startswith("BEGIN"):
            metrics.TRANSACTIONS.inc()
        began = time.monotonic()
        try:
            tag = await super().execute(query, timeout=timeout)
        finally:
            _timed(began)
        return tag

    async def _execute(self, *args: Any, **options: Any) -> Any:
        metrics.STATEMENTS.inc()
        began = time.monotonic()
        try:
            return await super()._execute(*args, **options)
        finally:
            _timed(began)


def _timed(began: float) -> None:
    """Also of what failed: a statement that was broken off for its time is the slowest of all."""
    if time.monotonic() - began >= SLOW_SECONDS:
        metrics.SLOW_STATEMENTS.inc()


@asynccontextmanager
async def lent(pool: asyncpg.Pool) -> "AsyncIterator[asyncpg.pool.PoolConnectionProxy]":
    """A connection, waited for at most `WAIT_SECONDS`; TimeoutError after that.

    The pool's own `timeout` makes a task of each wait, of those too that have nothing to wait for. Giving it back has
    a limit too: of a statement that was broken off the server's word is awaited, and none comes over a half-open line.
    """
    async with asyncio.timeout(WAIT_SECONDS):
        connection = await pool.acquire()
    try:
        yield connection
    finally:
        await pool.release(connection, timeout=WAIT_SECONDS)


async def _leave_as_is(_: asyncpg.Connection) -> None:
    """No state outlives a transaction, so there is nothing to reset: a round trip less for each."""


def _dump(value: object) -> str:
    return msgspec.json.encode(value).decode()


@contextmanager
def losses_named(connection: "asyncpg.pool.PoolConnectionProxy") -> Iterator[None]:
    """A lost connection is a StoreAwayError: asyncpg's errors for it are those of wrong arguments and of bugs.

    Its internal error comes of a server that said good-bye to a connection nobody was using.
    """
    try:
        yield
    except asyncpg.InternalClientError as error:
        drop(connection)
        raise StoreAwayError(str(error)) from error
    except asyncpg.InterfaceError as error:
        if is_lost(connection):
            raise StoreAwayError(str(error)) from error
        raise


def is_lost(connection: "asyncpg.pool.PoolConnectionProxy") -> bool:
    """Whether it is broken; the pool takes such a one back at once, and then it answers no question at all."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


def drop(connection: "asyncpg.pool.PoolConnectionProxy") -> None:
    """Break it off; the pool makes another."""
    if not is_lost(connection):
        connection.terminate()


@contextmanager
def refusals_named(reach: Reach | None) -> Iterator[None]:
    """What the database refuses to a request of limited reach is a 403 problem; to others, a bug of ours."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        if reach is None:
            raise
        raise reach.problem() from error


async def roll_back(connection: "asyncpg.pool.PoolConnectionProxy") -> None:
    """Undo what its transaction did; where that cannot be said, it is broken off."""
    if not is_lost(connection):
        try:
            await asyncio.shield(connection.execute("ROLLBACK"))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            drop(connection)

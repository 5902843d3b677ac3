"""A service's connections to Postgres: few, alike, and without state between transactions."""

import asyncpg
import msgspec


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
    )


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=_dump, decoder=msgspec.json.decode, schema="pg_catalog")


async def _leave_as_is(_: asyncpg.Connection) -> None:
    """No state outlives a transaction, so there is nothing to reset: a round trip less for each."""


def _dump(value: object) -> str:
    return msgspec.json.encode(value).decode()


def is_lost(connection: "asyncpg.pool.PoolConnectionProxy") -> bool:
    """Whether it is broken; the pool takes such a one back at once, and then it answers no question at all."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True

"""Columns under rotating keys: swept in batches, and begun again wherever it died."""

import base64
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.security.sealed_columns import BATCH, SealedColumn, counted, reseal
from flotilla.security.sealing import Keyring
from flotilla.testing.isolation import drop_database

ROWS: Final = 2 * BATCH + 7
KEYS: Final = [f"k{number}:{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2)]
OLD, BOTH, NEW = Keyring(KEYS[0]), Keyring(f"{KEYS[1]},{KEYS[0]}"), Keyring(KEYS[1])


def place(row: Any) -> bytes:
    return bytes(row["id"].bytes)


COLUMN: Final = SealedColumn("things", "sealed", ("organization_id", "id"), place)


@pytest.fixture(scope="module")
async def connection() -> AsyncIterator[asyncpg.Connection]:
    """A database with nothing but the one table."""
    instance = Instance.load("test").with_isolation(database=f"t_reseal_{new_id().hex[-12:]}")
    server = await asyncpg.connect(instance.admin_dsn("postgres"))
    await server.execute(f'CREATE DATABASE "{instance.database}"')
    await server.close()
    opened = await asyncpg.connect(instance.admin_dsn())
    await opened.execute(
        "CREATE TABLE things (organization_id uuid, id uuid, sealed bytea, PRIMARY KEY (organization_id, id))"
    )
    try:
        yield opened
    finally:
        await opened.close()
        await drop_database(instance)


@pytest.fixture
async def ids(connection: asyncpg.Connection, org: UUID) -> list[UUID]:
    """Rows under the old key, one that has nothing, and no others."""
    made = [new_id() for _ in range(ROWS)]
    await connection.execute("TRUNCATE things")
    await connection.copy_records_to_table(
        "things", records=[(org, each, OLD.seal(each.hex.encode(), each.bytes)) for each in made]
    )
    await connection.execute("INSERT INTO things VALUES ($1, $2, NULL)", org, new_id())
    return made


async def test_every_value_comes_under_the_newest_key_and_says_the_same(
    connection: asyncpg.Connection, ids: list[UUID]
) -> None:
    assert await counted(connection, "public", COLUMN) == {"k1": ROWS}
    batches = [batch async for batch in reseal(connection, "public", COLUMN, BOTH)]
    assert [batch.sealed for batch in batches] == [BATCH, BATCH, 7]
    assert await counted(connection, "public", COLUMN) == {"k2": ROWS}
    rows = await connection.fetch("SELECT id, sealed FROM things WHERE sealed IS NOT NULL")
    assert {row["id"]: NEW.open(row["sealed"], row["id"].bytes) for row in rows} == {
        each: each.hex.encode() for each in ids
    }
    assert [batch async for batch in reseal(connection, "public", COLUMN, BOTH)] == []


async def test_where_it_died_it_goes_on(connection: asyncpg.Connection, ids: list[UUID]) -> None:
    async with aclosing(reseal(connection, "public", COLUMN, BOTH)) as sweep:  # type: ignore[type-var]
        await anext(sweep)
    assert await counted(connection, "public", COLUMN) == {"k1": ROWS - BATCH, "k2": BATCH}
    batches = [batch async for batch in reseal(connection, "public", COLUMN, BOTH)]
    assert sum(batch.sealed for batch in batches) == ROWS - BATCH


async def test_what_cannot_be_opened_is_told_and_holds_nothing_up(
    connection: asyncpg.Connection, ids: list[UUID]
) -> None:
    await connection.execute(
        "UPDATE things SET sealed = $2 WHERE id = $1", ids[0], OLD.seal(b"moved", b"elsewhere")
    )
    batches = [batch async for batch in reseal(connection, "public", COLUMN, BOTH)]
    assert (sum(batch.sealed for batch in batches), sum(batch.shut for batch in batches)) == (ROWS - 1, 1)
    assert await counted(connection, "public", COLUMN) == {"k1": 1, "k2": ROWS - 1}, (
        "the key may not be dropped"
    )

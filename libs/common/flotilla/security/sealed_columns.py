"""Columns whose values are sealed: declared by their services, so that none is forgotten when keys rotate."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import structlog

from flotilla.security.sealing import Keyring, UnsealError, header, sealed_under

log = structlog.get_logger()

BATCH: Final = 500
Place = Callable[[Mapping[str, Any]], bytes]


@dataclass(frozen=True)
class SealedColumn:
    """A column of a service's own schema."""

    table: str
    column: str
    key: tuple[str, ...]
    """The table's primary key."""
    place: Place
    """What its value is tied to, of the row's key."""

    @property
    def name(self) -> str:
        """`accounts.sealed`."""
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Resealed:
    """One batch: how many were sealed anew, and how many cannot be opened: without their key, or changed."""

    sealed: int
    shut: int


async def counted(connection: asyncpg.Connection, schema: str, column: SealedColumn) -> dict[str, int]:
    """How many values there are under each key, by its id."""
    value = f"substring({column.column} FROM 1 FOR 2 + get_byte({column.column}, 1))"
    rows = await connection.fetch(
        f"SELECT {value} AS head, count(*) AS number FROM {schema}.{column.table}"  # noqa: S608 - declared names
        f" WHERE {column.column} IS NOT NULL GROUP BY 1"
    )
    return {sealed_under(row["head"]): row["number"] for row in rows}


async def reseal(
    connection: asyncpg.Connection, schema: str, column: SealedColumn, keyring: Keyring
) -> AsyncIterator[Resealed]:
    """Seal what is under older keys anew, a batch a transaction; whatever it dies of, it may be begun again.

    A row that is changed meanwhile stays as it was changed: it is under the newest key already.
    """
    key = ", ".join(column.key)
    after: list[Any] = []
    while True:
        beyond = f"AND ({key}) > ({_numbered(3, len(after))})" if after else ""
        rows = await connection.fetch(
            f"SELECT {key}, {column.column} FROM {schema}.{column.table}"  # noqa: S608 - declared names
            f" WHERE {column.column} IS NOT NULL AND substring({column.column} FROM 1 FOR $1) <> $2"
            f" {beyond} ORDER BY {key} LIMIT {BATCH}",
            len(header(keyring.newest)),
            header(keyring.newest),
            *after,
        )
        if not rows:
            return
        fresh = [_anew(row, column, keyring) for row in rows]
        where = " AND ".join(f"{name} = ${number}" for number, name in enumerate(column.key, 3))
        async with connection.transaction():
            await connection.executemany(
                f"UPDATE {schema}.{column.table} SET {column.column} = $2"  # noqa: S608 - declared names
                f" WHERE {column.column} = $1 AND {where}",
                [each for each in fresh if each is not None],
            )
        after = [rows[-1][name] for name in column.key]
        yield Resealed(sum(each is not None for each in fresh), sum(each is None for each in fresh))


def _anew(row: Mapping[str, Any], column: SealedColumn, keyring: Keyring) -> tuple[Any, ...] | None:
    """(as it is, as it shall be, the key); None where it cannot be opened."""
    sealed, place = row[column.column], column.place(row)
    try:
        return sealed, keyring.seal(keyring.open(sealed, place), place), *(row[name] for name in column.key)
    except UnsealError as error:
        log.error("reseal.shut", column=column.name, error=str(error))
        return None


def _numbered(first: int, count: int) -> str:
    return ", ".join(f"${number}" for number in range(first, first + count))

"""The order of a list, where callers choose among those that an index has.

    ORDERS = {**BY_TIME, **BY_NAME, **both("value", Order(("value", "id"), (int, UUID)))}

    order = ORDERS[sort]
    where = Where(org).equal({"state": state})
    rows = await order.read(tx, f"SELECT {COLUMNS} FROM deals", where, query.place(sort, order), query.limit + 1)
    return query.page([DealOut.of(row) for row in rows], sort, order)

The last column is the id, so that equals have their place too: a page ends anywhere, and costs the same however deep
(by name it does not: see `by_name`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec

from flotilla.store.postgres import Database, Row, Transaction
from flotilla.store.where import Where

NAME_LENGTH: Final = 200
"""Characters of a name that count for its place: no index takes names of any length."""
Integer = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""What a column of type `integer` holds; `int` is a `bigint`."""


@dataclass(frozen=True)
class Order:
    """By these columns (or expressions of an index), all in one direction; never by a caller's words."""

    columns: tuple[str, ...]
    kinds: tuple[Any, ...]
    """What the columns hold, as a page's cursor is checked."""
    descending: bool = False
    key: Callable[[Any], Sequence[object]] | None = None
    """What the columns hold of a row that is shown; None: its attributes of the columns' names."""

    def beyond(self, where: Where, after: Sequence[object] | None) -> Where:
        """`where`, and only what comes after the row with this key; everything on the first page."""
        if after is not None:
            places = ", ".join("{}" for _ in self.columns)
            where.also(f"({', '.join(self.columns)}) {'<' if self.descending else '>'} ({places})", *after)
        return where

    def key_of(self, shown: Any) -> Sequence[object]:
        """Where a row stands."""
        if self.key is not None:
            return self.key(shown)
        return [getattr(shown, column.rpartition(".")[2]) for column in self.columns]

    async def read(
        self,
        tx: Transaction | Database,
        select: str,
        where: Where,
        after: Sequence[object] | None,
        limit: int,
    ) -> list[Row]:
        """A page of rows. `select`: `SELECT … FROM …`, all ours. A database: of a table without tenants."""
        limited = self.beyond(where, after).argument(limit)
        return await tx.fetch(f"{select} WHERE {where} ORDER BY {self} LIMIT {limited}", *where.arguments)

    def __str__(self) -> str:
        direction = " DESC" if self.descending else ""
        return ", ".join(f"{column}{direction}" for column in self.columns)


def both(name: str, order: Order) -> Mapping[str, Order]:
    """An order and its opposite, by what callers call them: `name` and `-name`."""
    return {name: order, f"-{name}": replace(order, descending=not order.descending)}


def by_name(column: str = "name", id_column: str = "id", *, field: str = "name") -> Mapping[str, Order]:
    """By a name, of which its index has `left(name, 200)`; or `left(coalesce(name, ''), 200)`: those without first.

    `left` is not leakproof, so that row-level security has a page's place checked behind the policy, and not found by
    the index: it is read in order, from its beginning to the page. 10,000 names before it cost about 4 ms.
    """

    def key(shown: Any) -> Sequence[object]:
        return ((getattr(shown, field) or "")[:NAME_LENGTH], shown.id)

    return both(field, Order((f"left({column}, {NAME_LENGTH})", id_column), (str, UUID), key=key))


OLDEST = Order(("id",), (UUID,))
NEWEST = replace(OLDEST, descending=True)
"""Ids grow with time."""
BY_TIME: Final[Mapping[str, Order]] = both("created_at", OLDEST)
BY_CREATED: Final[Mapping[str, Order]] = both("created_at", Order(("created_at", "id"), (datetime, UUID)))
"""The same where ids were made elsewhere, or of something else: they do not tell when the row came."""
BY_NAME: Final[Mapping[str, Order]] = by_name()

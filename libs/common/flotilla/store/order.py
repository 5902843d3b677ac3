"""The order of a list, where callers choose among those that an index has.

    ORDERS = {"-created_at": NEWEST, **both("name", Order(("name", "id"), (str, UUID)))}

    after = query.after(*ORDERS[sort].kinds)
    where = ORDERS[sort].beyond(Where(org), after)
    sql = f"SELECT … FROM companies WHERE {where} ORDER BY {ORDERS[sort]} LIMIT {where.argument(limit)}"

The last column is the id, so that equals have their place too: a page ends anywhere, and costs the same however deep.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flotilla.store.where import Where


@dataclass(frozen=True)
class Order:
    """By these columns (or expressions of an index), all in one direction; never by a caller's words."""

    columns: tuple[str, ...]
    kinds: tuple[type[Any], ...]
    """What the columns hold, as a page's cursor is checked."""
    descending: bool = False

    def beyond(self, where: Where, after: Sequence[object] | None) -> Where:
        """`where`, and only what comes after the row with this key; everything on the first page."""
        if after is not None:
            places = ", ".join("{}" for _ in self.columns)
            where.also(f"({', '.join(self.columns)}) {'<' if self.descending else '>'} ({places})", *after)
        return where

    def __str__(self) -> str:
        direction = " DESC" if self.descending else ""
        return ", ".join(f"{column}{direction}" for column in self.columns)


NEWEST = Order(("id",), (UUID,), descending=True)
"""Ids grow with time."""


def both(name: str, order: Order) -> Mapping[str, Order]:
    """An order and its opposite, by what callers call them: `name` and `-name`."""
    return {name: order, f"-{name}": replace(order, descending=not order.descending)}

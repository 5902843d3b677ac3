"""Pages by cursor, alike everywhere: `{items, next_cursor}`; constant cost at any depth."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Depends, Query
from pydantic import BaseModel, Field

from flotilla.problems import UnprocessableError
from flotilla.store.order import Order

T = TypeVar("T")
MAX_LIMIT = 200
_STORED: dict[Any, Any] = {
    datetime: Annotated[datetime, msgspec.Meta(tz=True)],
    int: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
    str: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*\Z")],
}
LONGEST_CURSOR = 2000
"""That of a name, escaped."""


class Page(BaseModel, Generic[T]):
    """One page; no `next_cursor` on the last."""

    items: list[T]
    next_cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page.")


class Cursor:
    """The sort key of the last row of a page, opaque to callers: `Cursor.write(time, id)`."""

    @staticmethod
    def write(*key: object) -> str:
        """The cursor after the row with this key."""
        return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()

    @staticmethod
    def read(text: str) -> list[Any]:
        """The key; a 422 problem for a cursor that is none of ours."""
        try:
            padded = text + "=" * (-len(text) % 4)
            key = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=list)
        except (ValueError, binascii.Error, msgspec.DecodeError):
            raise UnprocessableError(
                "The cursor is not one that a page gave.",
                errors=[{"parameter": "cursor", "detail": "unknown"}],
            ) from None
        return key


class _PageQuery(BaseModel):
    cursor: str | None = None
    limit: int = 50

    def after(self, *types: type[Any]) -> list[Any] | None:
        """The key to go on after, checked as `types`; None on the first page."""
        if self.cursor is None:
            return None
        return _checked(Cursor.read(self.cursor), types)

    def place(self, sort: str, order: Order) -> list[Any] | None:
        """The key to go on after in this order of a list with several; None on the first page."""
        if self.cursor is None:
            return None
        name, *key = Cursor.read(self.cursor) or [None]
        if name != sort:
            raise UnprocessableError(
                f"The cursor is not of the order `{sort}`: begin again without it.",
                errors=[{"parameter": "cursor", "detail": "foreign"}],
            )
        return _checked(key, order.kinds)

    def page(self, shown: list[T], sort: str, order: Order) -> "Page[T]":
        """A page of `limit` from `limit + 1` rows read in this order."""
        return page(shown, self.limit, key=lambda each: (sort, *order.key_of(each)))


def _checked(key: Sequence[Any], types: Sequence[Any]) -> list[Any]:
    try:
        return [_part(part, kind) for part, kind in zip(key, types, strict=True)]
    except (msgspec.ValidationError, ValueError):
        raise UnprocessableError(
            "The cursor belongs to another list.", errors=[{"parameter": "cursor", "detail": "foreign"}]
        ) from None


def _part(part: Any, kind: Any) -> Any:
    """As Postgres takes it too: a moment with its offset, a number of 64 bits, a text without zeros."""
    return msgspec.convert(part, _STORED.get(kind, kind), strict=False)


async def _page_query(
    cursor: Annotated[
        str | None, Query(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> _PageQuery:
    return _PageQuery(cursor=cursor, limit=limit)


PageQuery = Annotated[_PageQuery, Depends(_page_query)]
"""A list route's parameters."""


def page(rows: list[T], limit: int, *, key: Any) -> Page[T]:
    """A page of `limit` from `limit + 1` rows read; `key(row)` gives the tuple to sort by."""
    more = len(rows) > limit
    items = rows[:limit]
    return Page(items=items, next_cursor=Cursor.write(*key(items[-1])) if more else None)

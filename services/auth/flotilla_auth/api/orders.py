"""Orders of lists whose rows go by a person, and have no id of their own."""

from collections.abc import Mapping
from typing import Final, Literal
from uuid import UUID

from flotilla.http.sorting import Sort
from flotilla.store.order import Order, both

ByUser = Sort[Literal["user_id", "-user_id"]]
"""With the orders `BY_USER`."""
BY_USER: Final[Mapping[str, Order]] = both("user_id", Order(("user_id",), (UUID,)))

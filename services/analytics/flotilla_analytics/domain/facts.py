"""What folds take."""

from typing import Any, NamedTuple
from uuid import UUID


class Fact(NamedTuple):
    """An archived event, as a fold sees it."""

    org: UUID
    sequence: int
    data: Any
    """The contract's struct."""

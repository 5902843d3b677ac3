"""How a service says what of its own grows old: declared beside what it holds of people.

keeps=(
    Keep("messages", "messages", outside=forget_bodies, within=drop_attachments),
    Keep("calls", "voice_calls", where="t.transcript IS NOT NULL", clear={"transcript": "NULL"}),
    KeepOutside("messages", forget_found),
)
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from flotilla.privacy.kinds import KINDS

if TYPE_CHECKING:
    from flotilla.app import App
    from flotilla.store.postgres import Transaction


@dataclass(frozen=True)
class Keep:
    """Rows that go, or are cleared, once they are older than their kind is kept."""

    kind: str
    """A name of `KINDS`."""
    table: str
    key: str = "id"
    """A column of UUIDs that sort by time (v7, v8): how old a row is."""
    where: str = "true"
    """What else has to be so, of `t`; `$2` is the moment before which it goes. Where rows are cleared, it has to say
    that they are not yet."""
    clear: Mapping[str, str] | None = None
    """Column to the SQL it is set to; None: the row goes."""
    outside: "Callable[[App, UUID, Sequence[UUID]], Awaitable[None]] | None" = None
    """Removes what of these rows is outside Postgres, before they go; safe to repeat."""
    within: "Callable[[Transaction, UUID, Sequence[UUID]], Awaitable[None]] | None" = None
    """Removes what hangs on these rows, in the transaction in which they go."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.table}: {self.kind!r} is no kind of data (flotilla.privacy.kinds)")
        if self.clear is not None and self.where == "true":
            raise ValueError(f"{self.table}: `where` has to say which rows are not cleared yet")


@dataclass(frozen=True)
class KeepOutside:
    """What is not in Postgres and grows old: `run(app, org, before, limit)` removes some, and says how many."""

    kind: str
    run: "Callable[[App, UUID, datetime, int], Awaitable[int]]"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of data (flotilla.privacy.kinds)")

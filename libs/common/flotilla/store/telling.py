"""What a request did in a transaction of its own is told in that transaction, not after it.

While a request owes the audit log its deed (flotilla.http.deeds), every transaction in it listens to its own
statements: the first that changed something and tells nothing by an event tells the deed as it commits. A process that
dies at the next line leaves it in the outbox.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from flotilla.cause import Telling, current_telling

if TYPE_CHECKING:
    from flotilla.store.postgres import Transaction

WRITES: Final = re.compile(
    r"\b(?:INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|UPDATE\s+[\w.\"]+(?:\s+AS)?(?:\s+\w+)?\s+SET)\b", re.I
)
LOCKS: Final = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+UPDATE|UPDATE|KEY\s+SHARE|SHARE)\b", re.I)
HAS_WRITTEN: Final = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"
"""What a function wrote shows in no statement. Rows that are only locked count here too."""


class Silence:
    """Of a transaction that owes nothing: of a handler, a job, a request that reads."""

    __slots__ = ()

    def hear(self, sql: str) -> None:
        """A statement is about to run."""

    async def settle(self, tx: "Transaction", leaves_work: bool) -> None:
        """Before the commit; `leaves_work`: jobs and timers are written with it."""

    def committed(self, tx: "Transaction") -> None:
        """After it."""


class Telltale(Silence):
    """Hears what one transaction does of a request that owes its deed."""

    __slots__ = ("_said", "_telling")

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._said: set[str] = set()

    def hear(self, sql: str) -> None:
        """Keep what it says."""
        self._said.add(sql)

    async def settle(self, tx: "Transaction", leaves_work: bool) -> None:
        """Emit the deed where this is the transaction that has to."""
        telling = self._telling
        if telling.deed is None or telling.told or (tx.emitted and telling.old_and_new is None):
            return
        if tx.emitted or leaves_work or await self._has_written(tx):
            telling.deed(tx)

    def committed(self, tx: "Transaction") -> None:
        """What it emitted is told."""
        self._telling.told |= bool(tx.emitted)

    async def _has_written(self, tx: "Transaction") -> bool:
        if any(map(writes, self._said)):
            return True
        if any(map(LOCKS.search, self._said)):
            return False
        return bool(await tx.fetchval(HAS_WRITTEN))


_SILENCE: Final = Silence()


def telltale() -> Silence:
    """Of a transaction that begins now."""
    telling = current_telling.get()
    return Telltale(telling) if telling is not None and telling.deed is not None else _SILENCE


@lru_cache(maxsize=4096)
def writes(sql: str) -> bool:
    """Whether a statement says that it writes."""
    return WRITES.search(sql) is not None


def hear_alone(sql: str) -> None:
    """A statement runs by itself, committed as it ends: nothing can tell of it with it."""
    telling = current_telling.get()
    if telling is not None and telling.deed is not None and writes(sql):
        telling.changed_alone = True

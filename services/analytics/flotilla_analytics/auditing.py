"""The audit log: who did what, when, and what was otherwise before."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flotilla.events import CONTRACTS
from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.archiving import Opened, Personal, open_parts
from flotilla_analytics.domain import changes
from flotilla_analytics.domain.changes import Change
from flotilla_analytics.store import audit_log

FAILURES = frozenset({"failed", "refused", "blocked", "rejected"})
"""Facts of what did not come about; as the store's condition has them."""


@dataclass(frozen=True, slots=True)
class Act:
    """One event of the audit log, opened."""

    id: UUID
    time: datetime
    actor: str | None
    """None where nobody was signed in: somebody's failed sign-in."""
    action: str
    """The event's type."""
    subject: str
    outcome: str
    """`succeeded` or `failed`."""
    direct: bool
    """Whether a request did it; else an event that came of one."""
    correlation_id: UUID
    source: str
    sequence: int
    changes: list[Change]
    data: dict[str, Any]
    """The state after it; personal fields are null where the person was erased or they grew old."""
    personal: Personal

    def plain(self) -> dict[str, Any]:
        """As a dictionary, all the way down."""
        return asdict(self)


async def acts(tx: Transaction, org: UUID, rows: Sequence[Row]) -> list[Act]:
    """Archived rows as acts, in their order; what an event does not say of the values before, the archive does."""
    opened = await open_parts(tx, tx.app.keyring, rows)
    sent = await audit_log.read_sent(tx, org, [row for row in rows if row["type"] == changes.REQUEST])
    told = [
        changes.sent(each.data, {field: value for (id_, field), value in sent.items() if id_ == row["id"]})
        if row["type"] == changes.REQUEST
        else changes.told(each.data)
        for row, each in zip(rows, opened, strict=True)
    ]
    silent = [
        (row, types)
        for row, said in zip(rows, told, strict=True)
        if not said
        and row["sequence"] > 1
        and row["type"] != changes.REQUEST
        and (types := changes.relatives(row["type"]))
    ]
    before = await audit_log.read_before(tx, org, silent)
    states = dict(zip(before, await open_parts(tx, tx.app.keyring, list(before.values())), strict=True))
    return [
        _act(row, each, said or _derived(row, states, each.data))
        for row, each, said in zip(rows, opened, told, strict=True)
    ]


def _derived(row: Row, states: dict[UUID, Opened], data: dict[str, Any]) -> list[Change]:
    """What is otherwise than before; of what cannot be read any more nobody knows."""
    before = states.get(row["id"])
    if before is None:
        return []
    found = changes.derived(row["type"], before.data, data)
    if before.personal in (Personal.NONE, Personal.SHOWN):
        return found
    lost = CONTRACTS[row["type"]].personal_fields
    return [change for change in found if change.field not in lost]


def _act(row: Row, opened: Opened, found: list[Change]) -> Act:
    fact = row["type"].split(".")[-2:-1]
    return Act(
        id=row["id"],
        time=row["time"],
        actor=row["actor"],
        action=row["type"],
        subject=row["subject"],
        outcome="failed" if FAILURES.intersection(fact) else "succeeded",
        direct=row["causation_id"] is None,
        correlation_id=row["correlation_id"],
        source=row["source"],
        sequence=row["sequence"],
        changes=found,
        data=opened.data,
        personal=opened.personal,
    )

"""Lines of sends: one a conversation, moved on by whoever holds its lock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.store.postgres import Row, Transaction

from flotilla_integrations import domain
from flotilla_integrations.domain import SendState, Waiting
from flotilla_integrations.store import sends

SEND: Final = "send"
RELEASE: Final = "send_released"


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """A message in hand."""

    message_id: UUID
    conversation_id: UUID
    account_id: UUID
    channel: str
    chat: str
    text: str


class Line(msgspec.Struct, frozen=True):
    """The conversation whose next send may go, whatever it waited for."""

    conversation_id: UUID


async def move(
    tx: Transaction, passed: Mapping[sends.Line, int], new: Mapping[UUID, Received[Any]] | None = None
) -> None:
    """Hand over what is first in each line; a new one before which a number is missing gets a timer.

    `passed` holds the lines, locked, and how far each has come; `new`, by message, what was just put in.
    """
    if not passed:
        return
    new, now = new or {}, datetime.now(UTC)
    handed: list[Row] = []
    for line, rows in (await sends.in_line(tx, list(passed))).items():
        waiting = [
            Waiting(row["id"], row["number"], SendState(row["state"]), row["release_at"]) for row in rows
        ]
        first = domain.next_in_line(passed[line], waiting, now)
        handed += [row for row in rows if first is not None and row["id"] == first.id]
        for each in waiting:
            if each.id in new and each is not first and domain.waits_for_a_gap(passed[line], waiting, each):
                key = f"{each.id}:{each.number}"
                tx.set_timer(RELEASE, key, each.release_at, Line(line[1]), org=line[0], cause=new[each.id])
    if handed:
        orgs, ids = [row["organization_id"] for row in handed], [row["id"] for row in handed]
        await tx.execute(sends.HAND, orgs, ids)
    for row in handed:
        _enqueue(tx, row)


def _enqueue(tx: Transaction, row: Row) -> None:
    send = Send(
        message_id=row["id"],
        conversation_id=row["conversation_id"],
        account_id=row["account_id"],
        channel=row["channel"],
        chat=row["chat"],
        text=row["text"],
    )
    # The sequence makes the job of a message that is sent again another job.
    key = f"{row['id']}:{row['sequence']}"
    tx.enqueue(SEND, key, send, org=row["organization_id"], cause=msgspec.convert(row["cause"], Cause))


async def release(tx: Transaction, job: Job) -> None:
    """The send that was missing did not come: those behind it wait no longer."""
    line: Line = job.payload
    await move(tx, await sends.lock(tx, [(job.org, line.conversation_id)]))


send_released = TimerKind(RELEASE, Line, release)

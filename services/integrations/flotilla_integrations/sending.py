"""Sending: what messaging asked for goes to the channel in the order of its conversation, once.

A send whose answer is lost (the time ran out after the request was written, the connection broke, the process died
with it in hand) is repeated only where the channel takes a repetition for the same message. Elsewhere nobody knows
whether the customer has it: that is said, and a person decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, RetryLater, TimerKind, reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.integrations import (
    ChannelMessageFailed,
    ChannelMessageSent,
    ChannelMessageUnconfirmed,
    Delivery,
    IntegrationFailed,
)
from flotilla.events.messaging import MessageSendRequested
from flotilla.store.postgres import Row, Transaction

from flotilla_integrations import domain
from flotilla_integrations.adapters.base import (
    SEND_MESSAGE,
    AccountRefusedError,
    AdapterError,
    NotReachedError,
    RefusedError,
    SendMessage,
    UnconfirmedError,
)
from flotilla_integrations.domain import SendState, Waiting
from flotilla_integrations.events import AUDIENCE, say_account
from flotilla_integrations.own import own
from flotilla_integrations.store import accounts, sends

log = structlog.get_logger()

KIND: Final = "send"
RELEASE: Final = "send_released"
LOST: Final = "The process that sent it died before it heard the answer."

FACTS: Final[Mapping[SendState, type[Delivery]]] = {
    SendState.SENT: ChannelMessageSent,
    SendState.FAILED: ChannelMessageFailed,
    SendState.UNCONFIRMED: ChannelMessageUnconfirmed,
}


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a send."""

    state: SendState
    at: datetime
    external_id: str | None = None
    reason: str | None = None
    account_refused: bool = False


@reaction(MessageSendRequested, lane="sends")
async def queue_sends(tx: Transaction, batch: Sequence[Received[MessageSendRequested]]) -> None:
    """Put sends in the lines of their conversations, and hand over those that are first."""
    lines = [(event.org, event.data.conversation_id) for event in batch]
    passed = await sends.lock(tx, lines)
    newest = {(event.org, event.data.message_id): event for event in batch}
    wanted = list(newest.values())
    added = await tx.fetch(
        sends.ADD,
        [event.org for event in wanted],
        [event.data.message_id for event in wanted],
        [event.data.conversation_id for event in wanted],
        [event.data.account_id for event in wanted],
        [event.data.channel for event in wanted],
        [event.data.send_number for event in wanted],
        [event.data.chat for event in wanted],
        [event.data.text or "" for event in wanted],
        [msgspec.json.encode(event.cause).decode() for event in wanted],
        domain.GAP.total_seconds(),
    )
    new = {row["id"]: newest[row["organization_id"], row["id"]] for row in added}
    await _move(tx, passed, new)


async def _move(
    tx: Transaction,
    passed: Mapping[sends.Line, int],
    new: Mapping[UUID, Received[MessageSendRequested]],
) -> None:
    """Hand over what is first in each line; a new one before which one is missing gets a timer."""
    if not passed:
        return
    now = datetime.now(UTC)
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
        await tx.execute(
            sends.HAND, [row["organization_id"] for row in handed], [row["id"] for row in handed]
        )
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
    tx.enqueue(KIND, key, send, org=row["organization_id"], cause=msgspec.convert(row["cause"], Cause))


async def release(tx: Transaction, job: Job) -> None:
    """The send that was missing did not come: those behind it wait no longer."""
    line: Line = job.payload
    await _move(tx, await sends.lock(tx, [(job.org, line.conversation_id)]), {})


async def perform(app: App, job: Job) -> Outcome:
    """Send it; raises what may be tried again."""
    send: Send = job.payload
    known = await own(app).directory.find(send.account_id)
    if known is None or not known.is_open or known.adapter is None:
        return _failed("The account is disconnected.")
    if known.account.organization_id != job.org:
        return _failed("There is no such account.")
    repeats = known.adapter.capabilities.idempotent_send
    if job.interrupted and not repeats:
        return _unconfirmed(LOST)
    try:
        message = SendMessage(message_id=send.message_id, chat=send.chat, text=send.text)
        sent = await known.adapter.execute(SEND_MESSAGE, message)
    except AccountRefusedError as error:
        return Outcome(SendState.FAILED, datetime.now(UTC), reason=str(error), account_refused=True)
    except RefusedError as error:
        return _failed(str(error))
    except (NotReachedError, RetryLater):
        raise
    except Exception as error:
        if repeats:
            raise
        log.warning("send.unconfirmed", org=str(job.org), message_id=str(send.message_id), exc_info=error)
        return _unconfirmed(str(error) if isinstance(error, AdapterError) else "Sending was interrupted.")
    return Outcome(SendState.SENT, sent.sent_at, external_id=sent.external_id)


async def finish(tx: Transaction, job: Job, outcome: Outcome) -> None:
    """Tell what became of it, and hand over the next of its conversation."""
    send: Send = job.payload
    line = (job.org, send.conversation_id)
    await sends.lock(tx, [line])
    row = await tx.fetchrow(
        sends.DECIDE, job.org, send.message_id, outcome.state, outcome.external_id, outcome.at
    )
    if row is None:
        return
    tx.emit(
        FACTS[outcome.state](
            message_id=send.message_id,
            account_id=send.account_id,
            channel=send.channel,
            external_id=outcome.external_id,
            reason=outcome.reason,
            occurred_at=outcome.at,
        ),
        org=job.org,
        sequence=row["sequence"],
        audience=AUDIENCE,
    )
    passed = await tx.fetchval(sends.MOVE_ON, job.org, send.conversation_id, row["number"])
    await _move(tx, {line: passed}, {})
    if outcome.account_refused:
        refused = await accounts.one(tx, accounts.REFUSED, job.org, send.account_id, outcome.reason)
        if refused is not None:
            await say_account(tx, refused, IntegrationFailed)


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """Every attempt failed: refused where the last one surely did not arrive, unconfirmed where it may have."""
    certain = not isinstance(error, UnconfirmedError | TimeoutError)
    words = str(error) if isinstance(error, AdapterError) else "The channel did not answer."
    await finish(tx, job, _failed(words) if certain else _unconfirmed(words))


def _failed(reason: str) -> Outcome:
    return Outcome(SendState.FAILED, datetime.now(UTC), reason=reason)


def _unconfirmed(reason: str) -> Outcome:
    return Outcome(SendState.UNCONFIRMED, datetime.now(UTC), reason=reason)


send_job = JobKind(
    KIND, Send, perform, finish, give_up, lease=timedelta(seconds=60), attempts=6, concurrency=16
)
send_released = TimerKind(RELEASE, Line, release)

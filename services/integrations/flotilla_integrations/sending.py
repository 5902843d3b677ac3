"""Sending: what messaging asked for goes to the channel in the order of its conversation, once.

A send whose answer is lost (the time ran out after the request was written, the connection broke, the process died
with it in hand) is repeated only where the channel takes a repetition for the same message. Elsewhere nobody knows
whether the customer has it: that is said, and a person decides.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, RetryLater
from flotilla.events.integrations import (
    ChannelMessageFailed,
    ChannelMessageSent,
    ChannelMessageUnconfirmed,
    Delivery,
    IntegrationFailed,
)
from flotilla.store.postgres import Transaction
from prometheus_client import Counter

from flotilla_integrations import lines
from flotilla_integrations.adapters.base import (
    SEND_MESSAGE,
    AccountRefusedError,
    AdapterError,
    GoneError,
    NotReachedError,
    RefusedError,
    SendMessage,
)
from flotilla_integrations.bd.limits import spend
from flotilla_integrations.domain import SendState
from flotilla_integrations.events import AUDIENCE, say_account
from flotilla_integrations.lines import Send
from flotilla_integrations.own import own
from flotilla_integrations.store import accounts, sends

log = structlog.get_logger()

SENDS: Final = Counter("flotilla_sends_total", "Sends decided", ["connector", "outcome"])
LONGEST_SECONDS: Final = 45.0
"""Shorter than the lease: an attempt that takes longer is cut off here, where its end is told."""
LOST: Final = "The process that sent it died before it heard the answer."

FACTS: Final[Mapping[SendState, type[Delivery]]] = {
    SendState.SENT: ChannelMessageSent,
    SendState.FAILED: ChannelMessageFailed,
    SendState.UNCONFIRMED: ChannelMessageUnconfirmed,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a send."""

    state: SendState
    at: datetime
    external_id: str | None = None
    reason: str | None = None
    account_refused: bool = False
    permanent: bool = False


async def perform(app: App, job: Job) -> Outcome:
    """Send it; raises what may be tried again."""
    send: Send = job.payload
    known = await own(app).directory.find(send.account_id)
    if known is None or not known.is_open or known.adapter is None:
        return _failed("The account is disconnected.")
    if known.account.organization_id != job.org:
        return _failed("There is no such account.")
    if known.limited:
        await spend(app, job.org, send.account_id)
    repeats = known.adapter.capabilities.idempotent_send
    if job.interrupted:
        if not repeats:
            return _unconfirmed(LOST)
        await _doubt(app, job)
    try:
        message = SendMessage(message_id=send.message_id, chat=send.chat, text=send.text)
        async with asyncio.timeout(LONGEST_SECONDS):
            sent = await known.adapter.execute(SEND_MESSAGE, message)
    except AccountRefusedError as error:
        return Outcome(SendState.FAILED, datetime.now(UTC), reason=str(error), account_refused=True)
    except RefusedError as error:
        return _failed(str(error), permanent=isinstance(error, GoneError))
    except (NotReachedError, RetryLater):
        raise
    except Exception as error:
        if repeats:
            await _doubt(app, job)
            raise
        log.warning("send.unconfirmed", org=str(job.org), message_id=str(send.message_id), exc_info=error)
        return _unconfirmed(str(error) if isinstance(error, AdapterError) else "Sending was interrupted.")
    return Outcome(SendState.SENT, sent.sent_at, external_id=sent.external_id)


async def _doubt(app: App, job: Job) -> None:
    """Remember that this attempt may have arrived: should the others fail, nobody may say that none did."""
    async with app.db.transaction(job.org) as tx:
        await tx.execute(sends.DOUBT, job.org, job.payload.message_id)


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
            permanent=outcome.permanent,
        ),
        org=job.org,
        sequence=row["sequence"],
        audience=AUDIENCE,
    )
    tx.after_commit(SENDS.labels(send.channel, outcome.state).inc)
    passed = await tx.fetchval(sends.MOVE_ON, job.org, send.conversation_id, row["number"])
    await lines.move(tx, {line: passed})
    if outcome.account_refused:
        refused = await accounts.one(tx, accounts.REFUSED, job.org, send.account_id, outcome.reason)
        if refused is not None:
            await say_account(tx, refused, IntegrationFailed)


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """Every attempt failed: it did, if surely none arrived; else nobody knows."""
    words = str(error) if isinstance(error, AdapterError) else "The channel did not answer."
    doubted = await tx.fetchval(sends.IS_DOUBTED, job.org, job.payload.message_id)
    await finish(tx, job, _unconfirmed(words) if doubted else _failed(words))


def _failed(reason: str, *, permanent: bool = False) -> Outcome:
    return Outcome(SendState.FAILED, datetime.now(UTC), reason=reason, permanent=permanent)


def _unconfirmed(reason: str) -> Outcome:
    return Outcome(SendState.UNCONFIRMED, datetime.now(UTC), reason=reason)


send_job = JobKind(
    lines.SEND, Send, perform, finish, give_up, lease=timedelta(seconds=60), attempts=10, concurrency=64
)

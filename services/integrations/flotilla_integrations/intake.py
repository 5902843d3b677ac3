"""Committing what webhooks brought: many webhooks, one transaction, each answered after its commit.

While one transaction is under way, what arrives gathers for the next; nobody waits for company but while much comes:
then a few milliseconds more, so that a commit is shared by many. A webhook whose events can't be written fails alone.
"""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
from flotilla.app import App
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.envelope import EventTooLargeError
from flotilla.bus.pace import Pace
from flotilla.cause import Cause
from flotilla.events.base import Event
from flotilla.events.integrations import ChannelMessageReceived, ChannelReceiptReceived
from flotilla.problems import TooLargeError, UnavailableError, UnprocessableError
from flotilla.store.postgres import Transaction

from flotilla_integrations import domain
from flotilla_integrations.adapters.base import Intake
from flotilla_integrations.domain import Account
from flotilla_integrations.events import AUDIENCE
from flotilla_integrations.store import sends

log = structlog.get_logger()

TOGETHER: Final = 200
GATHERING: Final = 0.04
"""Seconds that webhooks gather in while much comes."""
FULL: Final = 5_000
"""Webhooks that may wait for a commit; more are told to come again."""


@dataclass(frozen=True, slots=True)
class _Brought:
    """What one webhook brought."""

    account: Account
    intake: Intake
    cause: Cause
    done: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class IntakeWriter:
    """Writes what webhooks brought."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._pending: list[_Brought] = []
        self._writing: asyncio.Task[None] | None = None
        self._pace = Pace(0, GATHERING, worth=2)

    async def take(self, account: Account, intake: Intake, cause: Cause) -> None:
        """Returns once it is committed; a 422 problem for a receipt of an unknown message, 503 without a store."""
        if len(self._pending) >= FULL:
            raise _unavailable()
        brought = _Brought(account, intake, cause)
        self._pending.append(brought)
        if self._writing is None or self._writing.done():
            # Nothing of this request's context: it writes for others too.
            self._writing = asyncio.create_task(self._write_pending(), context=Context())
        await brought.done

    async def close(self) -> None:
        """Finish what is in hand."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write_pending(self) -> None:
        while self._pending:
            if seconds := self._pace.seconds:
                await asyncio.sleep(seconds)
            batch, self._pending = self._pending[:TOGETHER], self._pending[TOGETHER:]
            self._pace.took(len(batch))
            await self._write(batch)

    async def _write(self, batch: Sequence[_Brought]) -> None:
        try:
            async with self._app.db.transaction({each.account.organization_id for each in batch}) as tx:
                refused = await _emit(tx, batch)
        except INFRASTRUCTURE_ERRORS as error:
            log.warning("intake.paused", webhooks=len(batch), error=type(error).__name__)
            _settle(batch, {id(each): _unavailable() for each in batch})
        except Exception as error:
            if len(batch) == 1:
                _settle(
                    batch, {id(batch[0]): _too_large() if isinstance(error, EventTooLargeError) else error}
                )
                return
            for each in batch:
                await self._write([each])
        else:
            _settle(batch, refused)


def _settle(batch: Sequence[_Brought], errors: dict[int, Exception]) -> None:
    for each in batch:
        if each.done.done():  # its caller has gone
            continue
        error = errors.get(id(each))
        if error is None:
            each.done.set_result(None)
        else:
            each.done.set_exception(error)


async def _emit(tx: Transaction, batch: Sequence[_Brought]) -> dict[int, Exception]:
    """Emit what was brought: the problems of those that name messages we know nothing of."""
    now = datetime.now(UTC)
    ours = await _ours(tx, batch)
    refused: dict[int, Exception] = {}
    for brought in batch:
        account = brought.account
        for receipt in brought.intake.receipts:
            if (account.organization_id, receipt.message_id, account.id) not in ours:
                refused[id(brought)] = _unknown_message()
        if id(brought) in refused:
            continue
        for event, sequence, event_id in _events(brought, now):
            tx.emit(
                event,
                org=account.organization_id,
                sequence=sequence,
                cause=brought.cause,
                audience=AUDIENCE,
                event_id=event_id,
            )
    return refused


async def _ours(tx: Transaction, batch: Sequence[_Brought]) -> set[tuple[UUID, UUID, UUID]]:
    """Which of the messages that receipts name went out through which account."""
    named = [
        (each.account.organization_id, receipt.message_id)
        for each in batch
        for receipt in each.intake.receipts
    ]
    if not named:
        return set()
    orgs, ids = map(list, zip(*named, strict=True))
    rows = await tx.fetch(sends.KNOWN, orgs, ids)
    return {(row["organization_id"], row["id"], row["account_id"]) for row in rows}


def _events(brought: _Brought, now: datetime) -> list[tuple[Event, int, UUID]]:
    """(event, sequence, id) of each message and receipt; the same again when the webhook is repeated."""
    account, found = brought.account, list[tuple[Event, int, UUID]]()
    for message in brought.intake.messages:
        message_id = domain.message_id(account.connector, account.id, message)
        received = ChannelMessageReceived(
            message_id=message_id,
            account_id=account.id,
            channel=account.connector,
            identity_id=domain.identity_id(account.connector, account.id, message.sender.address),
            chat=message.chat,
            external_id=message.external_id,
            sender=message.sender,
            text=message.text,
            sent_at=message.sent_at,
        )
        found.append((received, 1, domain.message_event_id(message, message_id, now)))
    for receipt in brought.intake.receipts:
        told = ChannelReceiptReceived(
            message_id=receipt.message_id,
            account_id=account.id,
            channel=account.connector,
            occurred_at=receipt.occurred_at,
            receipt=receipt.receipt,
        )
        found.append((told, 2 if receipt.receipt == "read" else 1, domain.receipt_event_id(receipt, now)))
    return found


def _too_large() -> Exception:
    return TooLargeError("The message is longer than Flotilla takes.")


def _unavailable() -> Exception:
    return UnavailableError("Nothing was stored: deliver it again.", headers={"Retry-After": "1"})


def _unknown_message() -> Exception:
    return UnprocessableError(
        "No message with this id went out through this account.",
        errors=[{"pointer": "/data/message_id", "detail": "unknown"}],
    )

"""The fold of surveys: which conversations there are, whom their end asks, and what became of the messages.

What it does it does once, for the cursor moves in the same transaction; it reads the archive, so messaging's lanes
carry nothing more.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Worker
from flotilla.cause import Cause
from flotilla.events import messaging
from flotilla.events.base import CONTRACTS
from flotilla.store.postgres import Database, Row, Transaction

from flotilla_analytics.domain.surveys import LATE
from flotilla_analytics.store import archive, ledger, surveys
from flotilla_analytics.surveying import AUDIENCE, wait
from flotilla_analytics.workers.folds import BATCH, catch_up, next_stretch

log = structlog.get_logger()

NAME: Final = "surveys"
OUTCOMES: Final = (messaging.MessageSent, messaging.MessageFailed, messaging.MessageRefused)
TYPES: Final = tuple(
    contract.type
    for contract in CONTRACTS.values()
    if issubclass(contract.data, (messaging.Conversation, *OUTCOMES))
)
"""Every state of a conversation, and the answers to `message.requested`."""


async def fold_next(db: Database, limit: int = BATCH) -> bool:
    """Fold the next stretch of positions; False where there was none."""
    stretch = await next_stretch(db, NAME, TYPES, limit)
    if stretch is None:
        return False
    async with db.transaction(stretch.orgs) as tx:
        if await ledger.move_cursor(tx, NAME, stretch.after, stretch.end) and stretch.entries:
            rows = await archive.read_folded(tx, stretch.entries, TYPES)
            told = [(row, data) for row in rows if (data := _data(row)) is not None]
            await _know(tx, told)
            await _trigger(tx, told)
            await _settle(tx, told)
    return True


async def fold_surveys(app: App) -> None:
    """Fold until caught up."""
    await catch_up(app, lambda: fold_next(app.db))


Told = Sequence[tuple[Row, Any]]


async def _know(tx: Transaction, told: Told) -> None:
    await surveys.know(
        tx,
        (
            surveys.Known(
                row["organization_id"],
                data.conversation_id,
                row["sequence"],
                data.channel,
                data.identity_id,
                data.contact_id,
                data.assignee_id,
                data.state,
            )
            for row, data in told
            if isinstance(data, messaging.Conversation)
        ),
    )


async def _trigger(tx: Transaction, told: Told) -> None:
    """Ask where a conversation came to its end lately; the past is not asked."""
    since = await surveys.now(tx) - LATE
    ended = {
        (row["organization_id"], data.conversation_id): row
        for row, data in told
        if isinstance(data, messaging.ConversationResolved) and row["time"] > since
    }
    if not ended:
        return
    for waiting in await surveys.trigger(tx, [(*key, row["time"]) for key, row in ended.items()]):
        row = ended[waiting["organization_id"], waiting["conversation_id"]]
        await wait(tx, waiting, _cause(row))


async def _settle(tx: Transaction, told: Told) -> None:
    """Messages that asked somebody went out, or did not."""
    sent, failed, causes = [], [], {}
    for row, data in told:
        org = row["organization_id"]
        match data:
            case messaging.MessageSent(message_id=id_, occurred_at=at):
                sent.append((org, id_, at))
                causes[org, id_] = row
            case messaging.MessageFailed(message_id=id_, reason=reason):
                failed.append((org, id_, reason or "failed"))
            case messaging.MessageRefused(request_id=id_, reason=reason):
                failed.append((org, id_, reason))
    if failed:
        await surveys.mark_failed(tx, failed)
    if sent:
        for send in await surveys.mark_sent(tx, sent):
            cause = _cause(causes[send.organization_id, send.id])
            tx.emit(
                send.sent(),
                org=send.organization_id,
                sequence=send.sequence,
                cause=cause,
                audience=AUDIENCE,
            )


def _cause(row: Row) -> Cause:
    return Cause(correlation_id=row["correlation_id"], causation_id=row["id"], actor="service:analytics")


def _data(row: Row) -> Any:
    """The event as its contract has it; what breaks its contract asks nobody."""
    try:
        return msgspec.convert(row["data"], CONTRACTS[row["type"]].data)
    except msgspec.ValidationError as error:
        log.warning("surveys.skipped", event_id=str(row["id"]), type=row["type"], error=str(error))
        return None


worker = Worker("surveys", every=timedelta(milliseconds=500), run=fold_surveys)

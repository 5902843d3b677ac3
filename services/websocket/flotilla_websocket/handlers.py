"""What websocket does when events come: it shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from flotilla.bus.declare import RawEvent, tap
from flotilla.events import ai, auth, crm, integrations, messaging
from flotilla.store.postgres import Transaction

from flotilla_websocket import store
from flotilla_websocket.domain.entry import entry_of, time_of
from flotilla_websocket.live import Live
from flotilla_websocket.metrics import TOO_OLD

SHOWN: Final = (
    messaging.ConversationOpened,
    messaging.ConversationUpdated,
    messaging.ConversationAssigned,
    messaging.ConversationSnoozed,
    messaging.ConversationResolved,
    messaging.ConversationReopened,
    messaging.MessageReceived,
    messaging.MessageSent,
    messaging.MessageFailed,
    messaging.MessageUnconfirmed,
    messaging.MessageDelivered,
    messaging.MessageRead,
    ai.MessageAnalyzed,
    ai.DraftGenerated,
    ai.DraftApproved,
    ai.DraftRejected,
    ai.DraftFailed,
    crm.ContactCreated,
    crm.ContactUpdated,
    crm.TaskCreated,
    crm.TaskUpdated,
    crm.TaskCompleted,
    crm.TaskDue,
    crm.NoteCreated,
    integrations.IntegrationConnected,
    integrations.IntegrationDisconnected,
    integrations.IntegrationFailed,
)
"""What people look at. `contact.identified` is not: a delivery of it to each message of somebody new would be paid for
what `contact.created` says already."""
HEEDED: Final = (auth.SessionEnded, auth.UserDeactivated, auth.UserUpdated)
"""What ends connections."""
MARGIN: Final = timedelta(hours=1)


@tap("live", *SHOWN, *HEEDED)
async def show(tx: Transaction, batch: Sequence[RawEvent]) -> None:
    """Write the events to the feed; once that has committed, push those that are new."""
    now = datetime.now(UTC)
    first, last = now - store.KEPT + MARGIN, now + MARGIN
    entries = [entry_of(event.envelope) for event in batch if first < time_of(event.envelope.id) < last]
    TOO_OLD.inc(len(batch) - len(entries))
    if not entries:
        return
    new = await store.write(tx, entries)
    live: Live = tx.app.own
    tx.after_commit(lambda: live.publish(new))

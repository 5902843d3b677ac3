"""What integrations does with events: it sends what messaging asks for."""

from collections.abc import Sequence

import msgspec
from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.messaging import MessageSendRequested
from flotilla.store.postgres import Transaction

from flotilla_integrations import domain, lines
from flotilla_integrations.store import sends


@reaction(MessageSendRequested, lane="sends")
async def queue_sends(tx: Transaction, batch: Sequence[Received[MessageSendRequested]]) -> None:
    """Put sends in the lines of their conversations, and hand over those that are first."""
    passed = await sends.lock(tx, [(event.org, event.data.conversation_id) for event in batch])
    wanted = {(event.org, event.data.message_id): event for event in batch}
    events = list(wanted.values())
    added = await tx.fetch(
        sends.ADD,
        [event.org for event in events],
        [event.data.message_id for event in events],
        [event.data.conversation_id for event in events],
        [event.data.account_id for event in events],
        [event.data.channel for event in events],
        [event.data.send_number for event in events],
        [event.data.chat for event in events],
        [event.data.text or "" for event in events],
        [msgspec.json.encode(event.cause).decode() for event in events],
        domain.GAP.total_seconds(),
    )
    new = {row["id"]: wanted[row["organization_id"], row["id"]] for row in added}
    await lines.move(tx, passed, new)

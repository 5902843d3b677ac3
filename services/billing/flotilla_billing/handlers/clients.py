"""Whose contacts clients are, as auth tells."""

from collections.abc import Sequence

from flotilla.bus.declare import projection
from flotilla.bus.envelope import Received
from flotilla.events.auth import Client, ClientLinked, ClientUnlinked
from flotilla.store.postgres import Transaction

from flotilla_billing.store import clients


@projection(ClientLinked, ClientUnlinked, lane="organizations", tables=("client_contacts",))
async def keep_clients(tx: Transaction, batch: Sequence[Received[Client]]) -> None:
    """Know whose invoices a client sees."""
    # Two events tell of one row: the later one of a batch.
    newest = {
        (event.org, event.data.user_id): event for event in sorted(batch, key=lambda each: each.sequence)
    }
    rows = [
        (org, user_id, list(event.data.contact_ids), event.sequence)
        for (org, user_id), event in sorted(newest.items())
    ]
    await clients.keep(tx, rows)

"""Whose contacts clients are, as auth tells."""

from collections.abc import Sequence

from flotilla.bus.declare import projection
from flotilla.bus.envelope import Received
from flotilla.events.auth import Client, ClientLinked, ClientUnlinked
from flotilla.store import clients
from flotilla.store.postgres import Transaction


@projection(ClientLinked, ClientUnlinked, lane="directory", tables=("client_contacts",))
async def keep_clients(tx: Transaction, batch: Sequence[Received[Client]]) -> None:
    """Know whose conversations a client sees."""
    await clients.keep(tx, batch)

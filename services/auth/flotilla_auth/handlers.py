"""What auth hears of others."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from flotilla.bus.declare import Lane, projection
from flotilla.bus.envelope import Received
from flotilla.events.gateway import ApiKeyUsed
from flotilla.store.postgres import Transaction

from flotilla_auth.store import api_keys

API_KEYS: Final = Lane("api_keys", wait=timedelta(milliseconds=250))


@projection(
    ApiKeyUsed,
    lane=API_KEYS.name,
    not_rebuilt="a key's last use stands in the row of the key, which is auth's own",
)
async def keep_key_use(tx: Transaction, batch: Sequence[Received[ApiKeyUsed]]) -> None:
    """Know which keys are used still."""
    await api_keys.note_used(tx, [(event.org, event.data.api_key_id, event.data.used_at) for event in batch])

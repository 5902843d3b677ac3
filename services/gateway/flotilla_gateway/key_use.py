"""When keys were used: kept in memory, told once an hour a key."""

from typing import TYPE_CHECKING, Final

from flotilla.cause import Cause
from flotilla.events.gateway import ApiKeyUsed

from flotilla_gateway import store
from flotilla_gateway.gateway import Gateway
from flotilla_gateway.trust.api_keys import HOUR

if TYPE_CHECKING:
    from flotilla.app import App

ACTOR: Final = "service:gateway"


async def note_used_keys(app: "App") -> None:
    """Tell which keys were used, once an hour a key; what a process that dies had not told is told by the next use."""
    gateway: Gateway = app.own
    used = gateway.api_keys.take_used()
    if not used:
        return
    async with app.db.transaction({org for org, _, _ in used}, cause=Cause.fresh(ACTOR)) as tx:
        for row in await store.note_used(tx, used):
            event = ApiKeyUsed(api_key_id=row["api_key_id"], used_at=row["used_hour"])
            hours = int(row["used_hour"].timestamp()) // HOUR
            tx.emit(event, org=row["organization_id"], sequence=hours)

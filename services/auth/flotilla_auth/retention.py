"""How long kinds of data are kept: told to all services, of every organization, so that each can sweep."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from flotilla.app import App
from flotilla.bus.declare import Worker
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.privacy import RetentionChanged
from flotilla.store.postgres import Transaction

from flotilla_auth.events import changes
from flotilla_auth.store import retention as store
from flotilla_auth.store.retention import Retention

FIELDS: Final = ("periods", "held", "reason", "bound_days", "bound_from")
SOME: Final = 200
Why = Received[Any] | Cause | None


def tell(tx: Transaction, now: Retention, before: Retention | None = None, cause: Why = None) -> None:
    """Say it to every service."""
    event = RetentionChanged(
        organization_id=now.organization_id,
        periods=now.periods,
        held=now.held,
        reason=now.reason,
        bound_days=now.bound_days,
        bound_from=now.bound_from,
        changed=changes(before, now, FIELDS) if before else {},
    )
    tx.emit(event, org=now.organization_id, sequence=now.sequence, cause=cause)


async def announce(app: App) -> None:
    """Tell of organizations that services have not heard of: new ones, and those from before there was a sweep."""
    after = UUID(int=0)
    while orgs := await store.untold(app.db, after, SOME):
        async with app.db.transaction(orgs, cause=Cause.fresh("service:auth")) as tx:
            for each in await store.make(tx, orgs):
                tell(tx, each)
        after = orgs[-1]


worker: Final = Worker("announce_retention", timedelta(minutes=10), announce)

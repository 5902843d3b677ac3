"""What integrations does for partners on its own: its bindings, partitions, and sweeping."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from flotilla.app import App
from flotilla.bus.declare import Worker

from flotilla_integrations.own import own
from flotilla_integrations.partners.domain import LOG
from flotilla_integrations.partners.store import deliveries, wants, window

SOME: Final = 100
SWEPT_AT_ONCE: Final = 5000


async def _bind(app: App) -> None:
    await own(app).partners.bound.settle()


async def _sweep(app: App) -> None:
    """Organizations one part after the other; each has deliveries of its own only."""
    await window.keep_partitions(app.db)
    after = UUID(int=0)
    while orgs := await wants.organizations(app.db, after, SOME):
        more = True
        while more and not app.stopping.is_set():
            async with app.db.transaction(orgs) as tx:
                await window.sweep(tx, orgs)
                more = await deliveries.sweep(tx, orgs, LOG, SWEPT_AT_ONCE)
        after = orgs[-1]


# Every process at its start, too: a broker that was set up anew knows of no binding.
bindings = Worker("partners.bindings", timedelta(seconds=15), _bind, leased=False)
sweep = Worker("partners.sweep", timedelta(minutes=10), _sweep)

"""What automation does on its own: its bindings, and sweeping."""

from datetime import timedelta
from uuid import UUID

from flotilla.app import App
from flotilla.bus.declare import Worker

from flotilla_automation.own import own
from flotilla_automation.store import recent, wanted

SOME = 100


async def _bind(app: App) -> None:
    await own(app).bound.settle()


async def _sweep(app: App) -> None:
    """Organizations one part after the other; each has rows of its own only."""
    after = UUID(int=0)
    while orgs := await wanted.organizations(app.db, after, SOME):
        async with app.db.transaction(orgs) as tx:
            await recent.sweep(tx, orgs)
        after = orgs[-1]


# Every process at its start, too: a broker that was set up anew knows of no binding.
bindings = Worker("automation.bindings", timedelta(seconds=15), _bind, leased=False)
sweep = Worker("automation.sweep", timedelta(minutes=10), _sweep)

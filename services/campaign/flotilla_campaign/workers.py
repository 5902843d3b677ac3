"""What campaign does on its own: its bindings."""

from datetime import timedelta

from flotilla.app import App
from flotilla.bus.declare import Worker

from flotilla_campaign.own import bound


async def _bind(app: App) -> None:
    await bound(app).settle()


# Every process at its start, too: a broker that was set up anew knows of no binding.
bindings = Worker("campaign.bindings", timedelta(seconds=15), _bind, leased=False)

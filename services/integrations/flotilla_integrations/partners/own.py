"""What a process of integrations holds for partners."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import yarl
from flotilla.app import App
from flotilla.bus.bindings import Following, LaneBindings
from flotilla.outside_http import OutsideHttp
from flotilla.settings import Settings

from flotilla_integrations.adapters.addresses import connector_options
from flotilla_integrations.partners.binding import LANE, Bound
from flotilla_integrations.partners.broker import Broker, RabbitBroker
from flotilla_integrations.partners.store import wants
from flotilla_integrations.settings import IntegrationsSettings

UNLIMITED = {"limit": 0, "limit_per_host": 0}
"""Turns bound how many requests there are; none shall wait for a connection that another endpoint holds up."""


@dataclass(frozen=True, slots=True)
class Partners:
    """Ways out to partners, and the bindings of their lane."""

    http: OutsideHttp
    broker: Broker
    bound: Bound


def partner_settings(settings: Settings) -> IntegrationsSettings:
    """The settings of integrations."""
    assert isinstance(settings, IntegrationsSettings)
    return settings


@asynccontextmanager
async def opened(app: App, http: OutsideHttp) -> AsyncIterator[Partners]:
    """Open them, and listen for subscriptions that others change. `http`: to our own servers."""
    settings = partner_settings(app.settings)
    amqp_url = settings.amqp_url.get_secret_value()
    broker = RabbitBroker(http, yarl.URL(settings.partners_admin_url.get_secret_value()), yarl.URL(amqp_url))
    lane = LaneBindings(amqp_url, app.service.name, LANE)
    bound = Bound(app, lane)
    following = Following(LANE, bound.bind_wanted)
    async with OutsideHttp.opened(**UNLIMITED, **connector_options(settings)) as outside:
        tasks = [
            asyncio.create_task(app.db.listen(wants.CHANGED, following.heard, following.heard)),
            asyncio.create_task(following.run()),
        ]
        try:
            yield Partners(outside, broker, bound)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await lane.close()
            await broker.close()

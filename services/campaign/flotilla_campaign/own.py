"""What a process of campaign holds: the bindings of its lane."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from flotilla.app import App
from flotilla.bus.bindings import LaneBindings

from flotilla_campaign.domain.tracking import Links
from flotilla_campaign.settings import CampaignSettings
from flotilla_campaign.store import listening

LANE: Final = "messages"
TRACKING: Final = "campaign tracking"
"""What the key of links is derived for."""
TYPES: Final = (
    "message.received.v1",
    "message.sent.v1",
    "message.delivered.v1",
    "message.failed.v1",
    "message.refused.v1",
    "channel.message.failed.v1",
)
"""What enrolments wait for."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Keeps the lane bound while somebody is listened for: who enrols binds before the commit, and misses nothing."""

    app: App
    lane: LaneBindings
    links: Links

    async def bind(self) -> None:
        """Have messages come; BROKER_ERRORS where the broker is away."""
        await listening.note_bound(self.app.db)
        await self.lane.bind(TYPES)

    async def settle(self) -> None:
        """Bind where somebody is listened for; unbind where nobody has been for a while."""
        limits = settings(self.app)
        await listening.forget(self.app.db, limits.listen_seconds)
        if await listening.anybody(self.app.db):
            await self.bind()
        elif await listening.take_unwanted(self.app.db, limits.unbind_after_seconds):
            await self.lane.unbind(TYPES)
            # Somebody may have bound it between the two; they noted it before they did.
            if await listening.still_bound(self.app.db):
                await self.lane.bind(TYPES)


def settings(app: App) -> CampaignSettings:
    """The settings of this process."""
    found = app.settings
    assert isinstance(found, CampaignSettings)
    return found


def bound(app: App) -> Bound:
    """What this process holds."""
    held = app.own
    assert isinstance(held, Bound)
    return held


@asynccontextmanager
async def opened(app: App) -> AsyncIterator[Bound]:
    """Hold the way to the lane."""
    lane = LaneBindings(app.settings.amqp_url.get_secret_value(), app.service.name, LANE)
    try:
        yield Bound(app, lane, Links(app.settings.public_url.rstrip("/"), app.keyring.derive_all(TRACKING)))
    finally:
        await lane.close()

"""What a process of kyb holds: its client and the registers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from flotilla.app import App
from flotilla.outside_http import OutsideHttp

from flotilla_kyb.domain.identity import GLEIF, VIES
from flotilla_kyb.settings import KybSettings
from flotilla_kyb.sources import Asking, Gleif, Source, Vies
from flotilla_kyb.sources.pace import Pace


@dataclass(frozen=True, slots=True)
class Own:
    """`App.own` of kyb."""

    http: OutsideHttp
    sources: Mapping[str, Source]
    settings: KybSettings

    def asking(self, source: Source) -> Asking:
        """One job's questions to a register."""
        return Asking(self.http, source.pace, self.settings.source_seconds, self.settings.busy_seconds)


def own(app: App) -> Own:
    """What this process holds."""
    held = app.own
    assert isinstance(held, Own)
    return held


def settings_of(app: App) -> KybSettings:
    """What kyb was told."""
    assert isinstance(app.settings, KybSettings)
    return app.settings


@asynccontextmanager
async def opened(app: App) -> AsyncIterator[Own]:
    """Open the client."""
    settings = settings_of(app)

    def pace(address: str, seconds: float) -> Pace:
        return Pace(app.db, address, timedelta(seconds=seconds))

    sources: dict[str, Source] = {
        VIES: Vies(settings.vies_address, pace(settings.vies_address, settings.vies_interval_seconds)),
        GLEIF: Gleif(settings.gleif_address, pace(settings.gleif_address, settings.gleif_interval_seconds)),
    }
    async with OutsideHttp.opened() as http:
        yield Own(http, sources, settings)

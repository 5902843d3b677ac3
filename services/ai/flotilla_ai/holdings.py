"""What a process of ai holds beside its stores: the library, the providers, the alarms it saw set."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from flotilla.app import App

from flotilla_ai.alarms import Alarms
from flotilla_ai.domain.language import warm_up
from flotilla_ai.library import CHANGED, Library
from flotilla_ai.providers.directory import Providers
from flotilla_ai.settings import AiSettings


@dataclass
class Holdings:
    """`App.own`."""

    library: Library
    providers: Providers
    alarms: Alarms = field(default_factory=Alarms)


@asynccontextmanager
async def held(app: App) -> AsyncIterator[Holdings]:
    """Load the models, listen for changes; stop listening and close connections at the end."""
    settings = cast(AiSettings, app.settings)
    own = Holdings(Library(settings.ai_cache_megabytes), Providers(settings, app.keyring))
    await asyncio.to_thread(warm_up)
    listening = asyncio.create_task(
        app.db.listen(CHANGED, lambda org: own.library.forget(UUID(org)), own.library.forget_all)
    )
    try:
        yield own
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await own.providers.close()

"""What a process of integrations holds: its clients, its accounts in memory, its writer of webhooks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flotilla.app import App
from flotilla.events.transient import ConversationTyping
from flotilla.outside_http import OutsideHttp

from flotilla_integrations.adapters.addresses import connector_options
from flotilla_integrations.directory import Directory
from flotilla_integrations.intake import IntakeWriter
from flotilla_integrations.partners import own as partners
from flotilla_integrations.settings import IntegrationsSettings
from flotilla_integrations.store import accounts
from flotilla_integrations.typing_shown import TypingShower


@dataclass(frozen=True, slots=True)
class Own:
    """`App.own` of integrations."""

    directory: Directory
    intake: IntakeWriter
    partners: partners.Partners


def own(app: App) -> Own:
    """What this process holds."""
    held = app.own
    assert isinstance(held, Own)
    return held


@asynccontextmanager
async def opened(app: App) -> AsyncIterator[Own]:
    """Open the clients and listen for changes of accounts."""
    assert isinstance(app.settings, IntegrationsSettings)
    options = connector_options(app.settings)
    async with (
        OutsideHttp.opened() as vendors,
        OutsideHttp.opened(**options) as customers,
        OutsideHttp.opened(ssl=app.tls.client if app.tls else True) as ours,
        partners.opened(app, ours) as for_partners,
    ):
        directory = Directory(app, vendors, customers)
        intake = IntakeWriter(app)
        listening = (
            asyncio.create_task(app.db.listen(accounts.CHANGED, directory.forget, directory.forget_all)),
            asyncio.create_task(
                app.transient.hear((ConversationTyping,), TypingShower(directory).show, shared=True)
            ),
        )
        try:
            yield Own(directory, intake, for_partners)
        finally:
            for task in listening:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await intake.close()

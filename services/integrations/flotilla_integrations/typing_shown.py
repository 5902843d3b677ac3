"""Showing customers that somebody is writing to them: at once, or not at all."""

import asyncio
import time
from typing import Any, Final
from uuid import UUID

import structlog
from flotilla.bus.declare import RetryLater
from flotilla.bus.envelope import Received
from flotilla.events.transient import ConversationTyping

from flotilla_integrations.adapters.base import SHOW_TYPING, AdapterError, ShowTyping
from flotilla_integrations.directory import Directory

log = structlog.get_logger()

SHOWN_SECONDS: Final = 4.0
"""How long a channel shows it, a little less: said again sooner, it is not passed on."""
LONGEST_SECONDS: Final = 3.0
REMEMBERED: Final = 10_000


class TypingShower:
    """Passes it on to channels that can show it."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._shown: dict[tuple[UUID, str], float] = {}

    async def show(self, event: Received[Any]) -> None:
        """Pass it on, where the account is the organization's and its channel can show it."""
        said: ConversationTyping = event.data
        known = await self._directory.find(said.account_id)
        if known is None or known.adapter is None or not known.is_open:
            return
        if known.account.organization_id != event.org or not known.adapter.capabilities.typing:
            return
        if self._is_shown(said.account_id, said.chat):
            return
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await known.adapter.execute(SHOW_TYPING, ShowTyping(chat=said.chat))
        except (AdapterError, RetryLater, TimeoutError) as error:
            log.info("typing.not_shown", org=str(event.org), channel=said.channel, error=type(error).__name__)

    def _is_shown(self, account_id: UUID, chat: str) -> bool:
        now = time.monotonic()
        if now - self._shown.get((account_id, chat), -SHOWN_SECONDS) < SHOWN_SECONDS:
            return True
        if len(self._shown) >= REMEMBERED:
            self._shown.clear()
        self._shown[account_id, chat] = now
        return False

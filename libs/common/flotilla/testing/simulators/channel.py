"""A connected channel as integrations speaks of it: for tests of services that only hear its events."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from flotilla.events.integrations import (
    ChannelMessageFailed,
    ChannelMessageReceived,
    ChannelMessageSent,
    ChannelMessageUnconfirmed,
    ChannelReceiptReceived,
    SenderProfile,
)
from flotilla.ids import derived_id

START: Final = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Channel:
    """A connected account, as integrations would speak of it."""

    account_id: UUID
    chat: str = "77"
    name: str = "telegram"

    @property
    def identity_id(self) -> UUID:
        return derived_id(datetime.fromtimestamp(0, UTC), self.name, str(self.account_id), self.chat)

    def writes(self, number: int, text: str | None = None) -> ChannelMessageReceived:
        """The customer's message of that number, a second after the one before."""
        sent_at = START + timedelta(seconds=number)
        return ChannelMessageReceived(
            message_id=derived_id(sent_at, self.name, str(self.account_id), self.chat, str(number)),
            account_id=self.account_id,
            channel=self.name,
            identity_id=self.identity_id,
            chat=self.chat,
            external_id=str(number),
            sender=SenderProfile(address=self.chat, name="Iryna"),
            text=text or f"message {number}",
            sent_at=sent_at,
        )

    def _delivery(self, message_id: UUID, **more: Any) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {
            "message_id": message_id,
            "account_id": self.account_id,
            "channel": self.name,
            "occurred_at": now,
            **more,
        }

    def sent(self, message_id: UUID) -> ChannelMessageSent:
        return ChannelMessageSent(**self._delivery(message_id, external_id="900"))

    def failed(self, message_id: UUID) -> ChannelMessageFailed:
        return ChannelMessageFailed(**self._delivery(message_id, reason="The customer blocked the bot."))

    def unconfirmed(self, message_id: UUID) -> ChannelMessageUnconfirmed:
        return ChannelMessageUnconfirmed(**self._delivery(message_id, reason="The answer was lost."))

    def receipt(self, message_id: UUID, receipt: str) -> ChannelReceiptReceived:
        return ChannelReceiptReceived(**self._delivery(message_id, receipt=receipt))

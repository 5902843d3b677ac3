"""What integrations is told beside what every service is."""

from typing import ClassVar

from flotilla.settings import Settings
from pydantic import SecretStr


class IntegrationsSettings(Settings):
    """Addresses of vendors, and what is allowed for tests and development."""

    telegram_address: str = "https://api.telegram.org"
    """Telegram's Bot API, or a self-hosted server of it."""
    private_addresses_allowed: bool | None = None
    """Whether addresses that organizations give may be private ones, over plain HTTP. Unset: in development."""
    send_seconds: float = 15.0
    """How long a channel may take to answer a send."""

    shopify_address: str = "https://{shop}"
    """Where a shop's Admin API is."""
    vapi_address: str = "https://api.vapi.ai"
    hubspot_address: str = "https://api.hubapi.com"

    calendar_seconds: float = 15.0
    """How long a calendar's server may take to answer."""
    calendar_sync_seconds: float = 300.0
    """How often a connected calendar is asked what has changed in it."""

    HOPS: ClassVar[tuple[str, ...]] = (*Settings.HOPS, "partners_admin_url")

    partners_admin_url: SecretStr = SecretStr("")
    """The broker's HTTP interface, with who may make vhosts and users. Empty: partners have webhooks, no queues."""
    partners_address: str = ""
    """`amqp://` or `amqps://`, host and port: where partners reach the broker. Empty: where we do."""
    partner_webhook_seconds: float = 15.0
    """How long a partner's endpoint may take to answer."""
    partner_retry_seconds: tuple[float, ...] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    """Between attempts of a webhook, the first at once: as Standard Webhooks 1.0 suggests, a little more than three
    days."""
    partner_rest_seconds: float = 5.0
    """How long an endpoint is left alone that took nothing; twice as long after each time, five minutes at most."""
    partner_unread_hours: float = 72.0
    """After how long a queue that is full is given up."""

    @property
    def trusts_private_addresses(self) -> bool:
        """Whether this process may call addresses inside its own network on an organization's behalf."""
        if self.private_addresses_allowed is None:
            return self.environment == "development"
        return self.private_addresses_allowed

"""What integrations is told beside what every service is."""

from flotilla.settings import Settings


class IntegrationsSettings(Settings):
    """Addresses of vendors, and what is allowed for tests and development."""

    telegram_address: str = "https://api.telegram.org"
    """Telegram's Bot API, or a self-hosted server of it."""
    private_addresses_allowed: bool | None = None
    """Whether addresses that organizations give may be private ones, over plain HTTP. Unset: in development."""
    send_seconds: float = 15.0
    """How long a channel may take to answer a send."""

    @property
    def trusts_private_addresses(self) -> bool:
        """Whether this process may call addresses inside its own network on an organization's behalf."""
        if self.private_addresses_allowed is None:
            return self.environment == "development"
        return self.private_addresses_allowed

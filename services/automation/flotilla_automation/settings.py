"""What automation is told beside what every service is."""

from flotilla.settings import Settings


class AutomationSettings(Settings):
    """Limits, and what is allowed for tests and development."""

    rules_limit: int = 200
    """Rules an organization may have."""
    runs_a_minute: int = 600
    """Runs an organization may begin in a minute; further ones are stopped: a storm."""
    max_depth: int = 5
    """How many runs of rules may stand between a run and what no rule caused; one more is a loop."""
    answer_seconds: float = 600.0
    """How long the owner of a thing may take to answer a wish."""
    backtest_seconds: float = 3600.0
    """How long the archive may take to be read for a rule that is tried on it."""
    webhook_seconds: float = 10.0
    """How long a webhook may take to answer."""
    unbind_after_seconds: float = 60.0
    """How long a type stays bound that no rule wants; longer than any request takes."""
    private_addresses_allowed: bool | None = None
    """Whether webhooks may be in a private network, over plain HTTP. Unset: in development."""

    @property
    def trusts_private_addresses(self) -> bool:
        """Whether this process may call addresses inside its own network on an organization's behalf."""
        if self.private_addresses_allowed is None:
            return self.environment == "development"
        return self.private_addresses_allowed

"""What billing is told beside what every service is."""

from flotilla.settings import Settings
from flotilla.store.postgres import Transaction
from pydantic import SecretStr


class BillingSettings(Settings):
    """The platform's own Stripe account, through which organizations pay for their plans."""

    stripe_secret_key: SecretStr = SecretStr("")
    """Empty: plans are chosen freely, and nothing is charged for them."""
    stripe_webhook_secret: SecretStr = SecretStr("")
    """Of the endpoint at /v1/hooks/stripe/00000000-0000-0000-0000-000000000000."""
    charge_local_plans: bool = False
    """Without Stripe: whether a plan's price is taken from the prepaid balance as each month begins."""
    stripe_address: str = "https://api.stripe.com"

    @property
    def sells_through_stripe(self) -> bool:
        """Whether plans are paid for."""
        return bool(self.stripe_secret_key.get_secret_value())


def settings_of(tx: Transaction) -> BillingSettings:
    """This process's."""
    settings = tx.app.settings
    assert isinstance(settings, BillingSettings)
    return settings

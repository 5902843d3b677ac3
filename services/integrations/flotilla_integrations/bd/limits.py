"""Daily limits: an account sends no more in a day than it may, however many processes send from it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from flotilla.app import App
from flotilla.bus.declare import RetryLater

from flotilla_integrations.bd.domain import next_day
from flotilla_integrations.store import bd as store


async def spend(app: App, org: UUID, account_id: UUID) -> None:
    """Count one message; RetryLater, tomorrow, where today's are used up."""
    async with app.db.transaction(org) as tx:
        account = await store.account(tx, org, account_id)
        now = datetime.now(UTC)
        sent = await tx.fetchval(store.SPEND, org, account_id, account.limit_at(now))
    if sent is None:
        wait = next_day(now) - now + timedelta(seconds=1)
        raise RetryLater(wait, "This account has sent as much as it may today.")

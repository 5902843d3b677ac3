"""What a webhook of a shop, a telephone or a CRM brought, committed before it is answered."""

from datetime import timedelta
from typing import Final

from flotilla.app import App
from flotilla.bus.declare import Worker
from flotilla.cause import Cause

from flotilla_integrations.adapters.base import Intake
from flotilla_integrations.connectors import calls, orders, records
from flotilla_integrations.domain import Account
from flotilla_integrations.store import connectors as store

EVERY: Final = timedelta(hours=6)


async def forget_deliveries(app: App) -> None:
    """Vendors repeat a delivery for two days at most."""
    await app.db.execute(store.FORGET_DELIVERIES)


deliveries_forgotten: Final = Worker("hooks.forget", EVERY, forget_deliveries)


async def take(app: App, account: Account, intake: Intake, cause: Cause) -> bool:
    """Write and tell it; whether there was anything of the kind."""
    if not (intake.orders or intake.deleted_orders or intake.calls or intake.records):
        return False
    async with app.db.transaction(account.organization_id, cause=cause) as tx:
        for order in intake.orders:
            await orders.keep(tx, account, order)
        for external_id in intake.deleted_orders:
            await orders.delete(tx, account, external_id)
        for report in intake.calls:
            await calls.over(tx, account, report)
        if intake.records:
            await records.notice(tx, account, intake.records)
    return True

"""Asking vendors how accounts are: when a person wants to know, and by turns, so that a dead account is noticed.

A bot whose token was revoked sends us nothing more, and nobody would miss it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from flotilla.app import App
from flotilla.bus.declare import RetryLater, Worker
from flotilla.cause import Cause
from flotilla.events.integrations import IntegrationConnected, IntegrationFailed
from flotilla.store.postgres import Transaction

from flotilla_integrations.adapters.base import AccountRefusedError, Adapter, AdapterError, Health
from flotilla_integrations.domain import Account, AccountState
from flotilla_integrations.events import say_account
from flotilla_integrations.own import own
from flotilla_integrations.store import accounts

log = structlog.get_logger()

EVERY: Final = timedelta(minutes=1)
AGE: Final = timedelta(minutes=10)
"""How old the last check of an account may be."""
AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the vendor said, and whether it refuses the account."""

    health: Health
    refused: bool = False


async def ask(adapter: Adapter[Any]) -> Verdict:
    """Ask the vendor; what goes wrong on the way is an answer too."""
    try:
        return Verdict(await adapter.health())
    except AccountRefusedError as error:
        return Verdict(Health(False, str(error)), refused=True)
    except (AdapterError, RetryLater) as error:
        return Verdict(Health(False, str(error)))


async def record(tx: Transaction, account: Account, verdict: Verdict) -> None:
    """A refused account has failed; one that is well again is connected."""
    org, account_id = account.organization_id, account.id
    if verdict.refused:
        changed = await accounts.one(tx, accounts.REFUSED, org, account_id, verdict.health.detail)
        if changed is not None:
            await say_account(tx, changed, IntegrationFailed)
    elif verdict.health.ok:
        changed = await accounts.one(tx, accounts.RECOVERED, org, account_id, account.external_id)
        if changed is not None:
            await say_account(tx, changed, IntegrationConnected)


async def check_by_turns(app: App) -> None:
    """Check the accounts that were not checked for longest."""
    for row in await app.db.fetch(accounts.TAKE_UNCHECKED, AGE, AT_ONCE):
        if app.stopping.is_set():
            return
        known = await own(app).directory.find(row["account_id"])
        if known is None or known.adapter is None or known.account.state is not AccountState.CONNECTED:
            continue
        verdict = await ask(known.adapter)
        if not verdict.health.ok:
            log.warning(
                "account.unwell",
                org=str(known.account.organization_id),
                account_id=str(known.account.id),
                connector=known.account.connector,
                refused=verdict.refused,
            )
        if verdict.refused:
            cause = Cause.fresh("service:integrations")
            async with app.db.transaction(known.account.organization_id, cause=cause) as tx:
                await record(tx, known.account, verdict)


account_checks = Worker("accounts.check", EVERY, check_by_turns)

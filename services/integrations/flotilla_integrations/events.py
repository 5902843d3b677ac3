"""What integrations tells of its accounts: rows into events."""

from typing import Final
from uuid import UUID

import msgspec
from flotilla.cause import Cause
from flotilla.events.integrations import (
    Account as AccountEvent,
)
from flotilla.store.postgres import Transaction

from flotilla_integrations.adapters import ADAPTERS
from flotilla_integrations.bd.commands import follow
from flotilla_integrations.domain import Account, AccountState
from flotilla_integrations.store import accounts

SYNC: Final = "calendar_sync"
"""The job that reads what has changed in a calendar."""
AUDIENCE: Final = "org"
"""Everybody who works in the inbox: of messages. Of accounts only owners and administrators are told."""


class Synced(msgspec.Struct, frozen=True):
    """The account that is read."""

    account_id: UUID


async def say_account(
    tx: Transaction, account: Account, kind: type[AccountEvent], cause: Cause | None = None
) -> None:
    """Tell of an account's new state, the other processes of this service too; a handler of batches names the cause."""
    tx.emit(
        kind(
            account_id=account.id,
            connector=account.connector,
            name=account.connector if account.user_id else account.name,
            state=account.state,
            reason=account.reason,
            kind=ADAPTERS[account.connector].kind,
            user_id=account.user_id,
        ),
        org=account.organization_id,
        sequence=account.sequence,
        cause=cause,
    )
    await say_changed(tx, account)
    await follow(tx, account, cause)
    if account.state is AccountState.CONNECTED and ADAPTERS[account.connector].capabilities.syncs:
        # Left alone where it runs already.
        tx.enqueue(SYNC, str(account.id), Synced(account.id), org=account.organization_id, cause=cause)


async def say_changed(tx: Transaction, account: Account) -> None:
    """Have every process of this service read the account anew."""
    await tx.notify(accounts.CHANGED, str(account.id))
    # This process need not wait to hear itself.
    tx.after_commit(lambda: tx.app.own.directory.forget(str(account.id)))

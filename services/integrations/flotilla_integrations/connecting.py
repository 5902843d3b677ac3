"""Connecting and disconnecting: outside work of its own, so that a vendor that is down is asked again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.events.integrations import IntegrationConnected, IntegrationFailed
from flotilla.store.postgres import Transaction

from flotilla_integrations.adapters.base import AdapterError, Connection, RefusedError
from flotilla_integrations.domain import Account
from flotilla_integrations.events import say_account
from flotilla_integrations.own import own
from flotilla_integrations.store import accounts

CONNECT: Final = "connect"
DISCONNECT: Final = "disconnect"
TWICE: Final = "It is connected already, as another account of this organization."


class Wanted(msgspec.Struct, frozen=True):
    """An account as it stood when this was asked for; if it has changed since, there is nothing to do."""

    account_id: UUID
    sequence: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The vendor's no, for people to read."""

    reason: str


def ask_to_connect(tx: Transaction, account: Account) -> None:
    """Have the account proven with its vendor."""
    _ask(tx, CONNECT, account)


def ask_to_disconnect(tx: Transaction, account: Account) -> None:
    """Have the vendor told that nothing is wanted any more, and the credentials forgotten."""
    _ask(tx, DISCONNECT, account)


def _ask(tx: Transaction, kind: str, account: Account) -> None:
    wanted = Wanted(account.id, account.sequence)
    tx.enqueue(kind, f"{account.id}:{account.sequence}", wanted, org=account.organization_id)


async def _current(app: App, job: Job) -> Account | None:
    wanted: Wanted = job.payload
    async with app.db.transaction(job.org) as tx:
        account = await accounts.one(tx, accounts.READ, job.org, wanted.account_id)
    return account if account is not None and account.sequence == wanted.sequence else None


async def connect(app: App, job: Job) -> Connection | Refused | None:
    """Prove the account with its vendor; None where it has changed since."""
    account = await _current(app, job)
    adapter = own(app).directory.adapter(account) if account else None
    if adapter is None:
        return None
    try:
        return await adapter.connect(adapter.config)
    except RefusedError as error:
        return Refused(str(error))


async def connected(tx: Transaction, job: Job, result: Connection | Refused | None) -> None:
    """Write what the vendor said."""
    if result is None:
        return
    if isinstance(result, Refused):
        await _refuse(tx, job, result.reason)
        return
    wanted: Wanted = job.payload
    try:
        async with tx.savepoint():
            account = await accounts.one(
                tx, accounts.CONNECTED, job.org, wanted.account_id, wanted.sequence, result.external_id
            )
    except asyncpg.UniqueViolationError:
        await _refuse(tx, job, TWICE)
        return
    if account is not None:
        await say_account(tx, account, IntegrationConnected)


async def _refuse(tx: Transaction, job: Job, reason: str) -> None:
    wanted: Wanted = job.payload
    account = await accounts.one(
        tx, accounts.CONNECT_FAILED, job.org, wanted.account_id, wanted.sequence, reason
    )
    if account is not None:
        await say_account(tx, account, IntegrationFailed)


async def not_connected(tx: Transaction, job: Job, error: Exception) -> None:
    """The vendor could not be asked."""
    await _refuse(tx, job, str(error) if isinstance(error, AdapterError) else "The channel did not answer.")


async def disconnect(app: App, job: Job) -> None:
    """Tell the vendor; what it refuses by now needs no telling."""
    account = await _current(app, job)
    adapter = own(app).directory.adapter(account) if account else None
    if adapter is not None:
        try:
            await adapter.disconnect()
        except RefusedError:
            return


async def disconnected(tx: Transaction, job: Job, _: object) -> None:
    """Forget the credentials."""
    wanted: Wanted = job.payload
    await tx.execute(accounts.FORGET_CREDENTIALS, job.org, wanted.account_id, wanted.sequence)
    await tx.notify(accounts.CHANGED, str(wanted.account_id))


connect_job = JobKind(
    CONNECT, Wanted, connect, connected, not_connected, lease=timedelta(seconds=90), attempts=6
)
disconnect_job = JobKind(
    DISCONNECT, Wanted, disconnect, disconnected, disconnected, lease=timedelta(seconds=90), attempts=5
)

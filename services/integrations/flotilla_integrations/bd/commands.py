"""What changes business development accounts, told in the same transaction."""

from typing import Final
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events import bd_accounts as events
from flotilla.store.postgres import Transaction

from flotilla_integrations.bd.domain import BdAccount
from flotilla_integrations.domain import Account, AccountState
from flotilla_integrations.store import accounts
from flotilla_integrations.store import bd as store

DISCONNECTED: Final = "A person disconnected it."


async def tell(
    tx: Transaction, org: UUID, id_: UUID, kind: type[events.BdAccount], cause: Cause | None = None
) -> BdAccount:
    """Tell how it is now, also whoever writes from it."""
    account = await store.account(tx, org, id_)
    tx.emit(
        account.told(kind),
        org=org,
        sequence=account.sequence,
        cause=cause,
        audience=f"user:{account.user_id}" if account.user_id else None,
    )
    await tx.notify(accounts.CHANGED, str(id_))
    return account


async def assign(
    tx: Transaction, account: BdAccount, user_id: UUID | None, cause: Cause | None = None
) -> None:
    """Have somebody write from it, or nobody."""
    if account.user_id == user_id:
        return
    org = account.organization_id
    if account.user_id is not None:
        await tx.execute(store.ASSIGN, org, account.id, None)
        await tell_bidi(tx, account, account.user_id, events.BidiUnassigned, cause)
    if user_id is not None:
        await tx.execute(store.ASSIGN, org, account.id, user_id)
        await tell_bidi(tx, account, user_id, events.BidiAssigned, cause)


async def tell_bidi(
    tx: Transaction, account: BdAccount, user_id: UUID, kind: type[events.Bidi], cause: Cause | None = None
) -> None:
    """Tell somebody that they write from it from now on, or no longer."""
    now = await store.account(tx, account.organization_id, account.id)
    tx.emit(
        kind(bd_account_id=account.id, user_id=user_id),
        org=account.organization_id,
        sequence=now.sequence,
        cause=cause,
        audience=f"user:{user_id}",
    )


async def follow(tx: Transaction, account: Account, cause: Cause | None = None) -> None:
    """The connected account has a new state, and the business development account that it may be has it too."""
    org, connected = account.organization_id, account.state is AccountState.CONNECTED
    state, reason = ("connected", None) if connected else ("disconnected", account.reason or DISCONNECTED)
    changed = await tx.fetchval(store.FOLLOW, org, account.id, state, reason)
    if changed is None:
        return
    if account.state is AccountState.DISCONNECTED:
        await tx.execute(store.WITHDRAW_ALL, account.id, org)
    kind = events.BdAccountConnected if connected else events.BdAccountDisconnected
    await tell(tx, org, account.id, kind, cause)

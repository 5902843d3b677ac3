"""Accounts in memory: found by id without a query, until another process says that they changed."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.outside_http import OutsideHttp
from flotilla.security.sealed_columns import SealedColumn

from flotilla_integrations.adapters import ADAPTERS
from flotilla_integrations.adapters.base import Adapter, Surroundings
from flotilla_integrations.domain import Account, AccountState, Sealed
from flotilla_integrations.settings import IntegrationsSettings
from flotilla_integrations.store import accounts, bd

SEALED: Final = SealedColumn(
    "accounts", "sealed", ("organization_id", "id"), lambda row: bytes(row["id"].bytes)
)
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """An account, and its adapter where it has credentials."""

    account: Account
    adapter: Adapter[Any] | None
    limited: bool = False
    """Whether it may send so many messages a day only: business development writes from it."""

    @property
    def is_open(self) -> bool:
        """Whether anything may come in or go out."""
        return self.adapter is not None and self.account.state is not AccountState.DISCONNECTED


class Directory:
    """The accounts that this process has used."""

    def __init__(self, app: App, vendor_http: OutsideHttp, customer_http: OutsideHttp) -> None:
        assert isinstance(app.settings, IntegrationsSettings)
        self._app = app
        self._settings = app.settings
        self._vendor_http = vendor_http
        self._customer_http = customer_http
        self._known: dict[UUID, Known] = {}
        self._generation = 0

    async def find(self, account_id: UUID) -> Known | None:
        """The account of that id, whosever it is; None where there is none."""
        known = self._known.get(account_id)
        if known is not None:
            return known
        generation = self._generation
        org = await self._app.db.fetchval(accounts.ORGANIZATION_OF, account_id)
        if org is None:
            return None
        async with self._app.db.transaction(org) as tx:
            account = await accounts.one(tx, accounts.READ, org, account_id)
            limited = bool(await tx.fetchval(bd.IS_LIMITED, org, account_id))
        if account is None:
            return None
        known = Known(account, self.adapter(account), limited)
        if generation == self._generation:  # else what was read may be what was just changed
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[account_id] = known
        return known

    def forget(self, account_id: str) -> None:
        """It has changed."""
        self._generation += 1
        self._known.pop(UUID(account_id), None)

    def forget_all(self) -> None:
        """Something may have changed without our hearing of it."""
        self._generation += 1
        self._known.clear()

    def adapter(self, account: Account) -> Adapter[Any] | None:
        """An adapter for the account as it stands; None where its credentials are gone."""
        if account.sealed is None:
            return None
        kind = ADAPTERS[account.connector]
        sealed = self.unseal(account.id, account.sealed)
        adapter = kind(
            Surroundings(
                account_id=account.id,
                hook_url=self.hook_url(account.connector, account.id),
                hook_secret=sealed.hook_secret,
                settings=self._settings,
                vendor_http=self._vendor_http,
                customer_http=self._customer_http,
                external_id=account.external_id,
            )
        )
        config = {"settings": account.settings, "credentials": sealed.credentials}
        adapter.use(kind.config_type.model_validate(config))
        return adapter

    def hook_url(self, connector: str, account_id: UUID) -> str:
        """Where the vendor reaches the account: through the gateway."""
        return f"{self._settings.public_url.rstrip('/')}/v1/hooks/{connector}/{account_id}"

    def shown_hook_url(self, connector: str, account_id: UUID) -> str | None:
        """The same; None where its vendor sends nothing."""
        return self.hook_url(connector, account_id) if ADAPTERS[connector].takes_hooks else None

    def seal(self, account_id: UUID, sealed: Sealed) -> bytes:
        """Sealed under the master key, and tied to the account's row."""
        return self._app.keyring.seal(msgspec.json.encode(sealed), account_id.bytes)

    def unseal(self, account_id: UUID, sealed: bytes) -> Sealed:
        """UnsealError where it is of another row, or its key is gone."""
        return msgspec.json.decode(self._app.keyring.open(sealed, account_id.bytes), type=Sealed)

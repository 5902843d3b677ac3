"""Reaching Stripe: its own library over the fleet's one HTTP client, with the keys of one account."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import msgspec
import stripe
from flotilla.app import App
from flotilla.ids import PLATFORM_ORG
from flotilla.outside_http import OutsideHttp
from flotilla.security.sealed_columns import SealedColumn

from flotilla_billing.settings import BillingSettings
from flotilla_billing.store import stripe as store

SECONDS: Final = 20.0


LONG: Final = 24
"""Characters of a secret of which four give nothing away."""


class Keys(msgspec.Struct, frozen=True):
    """Of one Stripe account; an empty one is not there."""

    secret_key: str
    webhook_secret: str


class _Transport(stripe.HTTPClient):
    """Stripe's requests under the fleet's time limits, breaker and guard."""

    name = "flotilla"

    def __init__(self, http: OutsideHttp) -> None:
        super().__init__()
        self._http = http

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One request; repeated where Stripe knows a repetition by its key."""
        body = post_data.encode() if isinstance(post_data, str) else post_data
        answer = await self._http.request(
            method.upper(),
            url,
            body=body,
            headers=headers,
            limit=SECONDS,
            repeatable=method.upper() == "GET" or "Idempotency-Key" in headers,
        )
        return answer.body, answer.status, answer.headers

    async def close_async(self) -> None:
        """The pool belongs to the process."""

    def close(self) -> None:
        """The pool belongs to the process."""


@asynccontextmanager
async def opened(_: App) -> AsyncIterator[OutsideHttp]:
    """What a process of billing holds: its way out."""
    async with OutsideHttp.opened() as http:
        yield http


async def keys(app: App, org: UUID) -> Keys | None:
    """Of the organization's own account, or of the platform's (`PLATFORM_ORG`); None where it has none."""
    if org == PLATFORM_ORG:
        settings = settings_of(app)
        found = Keys(
            settings.stripe_secret_key.get_secret_value(), settings.stripe_webhook_secret.get_secret_value()
        )
        return found if found.secret_key else None
    async with app.db.transaction(org) as tx:
        sealed = await store.sealed_account(tx, org)
    return None if sealed is None else unseal(app, org, sealed)


def client(app: App, account: Keys) -> stripe.StripeClient:
    """A client of that account."""
    address = settings_of(app).stripe_address
    return stripe.StripeClient(
        account.secret_key,
        base_addresses={"api": address, "meter_events": address},
        max_network_retries=0,
        http_client=_Transport(app.own),
    )


def _place(org: UUID) -> bytes:
    return b"stripe" + org.bytes


SEALED: Final = SealedColumn(
    "stripe_accounts", "sealed", ("organization_id",), lambda row: _place(row["organization_id"])
)


def seal(app: App, org: UUID, account: Keys) -> bytes:
    """Tied to the organization's row."""
    return app.keyring.seal(msgspec.json.encode(account), _place(org))


def unseal(app: App, org: UUID, sealed: bytes) -> Keys:
    """UnsealError where it is of another row."""
    return msgspec.json.decode(app.keyring.open(sealed, _place(org)), type=Keys)


def named(account: Keys) -> dict[str, str]:
    """As Stripe's own dashboard names them: the kind of key and its last four characters, no secret."""
    return {
        name: f"{secret.rpartition('_')[0][:12]}…{secret[-4:] if len(secret) >= LONG else ''}"
        for name, secret in msgspec.structs.asdict(account).items()
    }


def settings_of(app: App) -> BillingSettings:
    """This process's."""
    assert isinstance(app.settings, BillingSettings)
    return app.settings

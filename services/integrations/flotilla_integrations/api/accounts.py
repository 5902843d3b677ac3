"""Connected accounts."""

import secrets
from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response
from flotilla.events.integrations import IntegrationDisconnected
from flotilla.http import (
    ConflictError,
    CurrentApp,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.sorting import ByTimeOrName
from flotilla.ids import new_id
from flotilla.store.order import BY_NAME, BY_TIME
from pydantic import SecretStr, ValidationError

from flotilla_integrations import checking
from flotilla_integrations.adapters import ADAPTERS
from flotilla_integrations.adapters.base import Config
from flotilla_integrations.api.schemas import (
    AccountIn,
    AccountOut,
    AccountPatch,
    ConnectorOut,
    HealthOut,
)
from flotilla_integrations.connecting import ask_to_connect, ask_to_disconnect
from flotilla_integrations.domain import Account, AccountState, Sealed
from flotilla_integrations.events import say_account, say_changed
from flotilla_integrations.own import own
from flotilla_integrations.store import accounts

routes = Routes("/v1/accounts", tag="accounts")
connectors = Routes("/v1/connectors", tag="accounts")

ORDERS: Final = {**BY_TIME, **BY_NAME}


@connectors.get("", permission="accounts:read")
async def list_connectors() -> list[ConnectorOut]:
    """The kinds of channels that can be connected, and what each needs to know."""
    return [ConnectorOut.of(adapter) for adapter in ADAPTERS.values()]


@routes.post("", permission="accounts:write", status_code=201, feature="channels")
async def add_account(wanted: AccountIn, app: CurrentApp, who: Who, tx: Tx, response: Response) -> AccountOut:
    """Connect an account. It is `connecting` until its vendor was asked, then `connected` or `failed`."""
    if wanted.connector not in ADAPTERS:
        raise UnprocessableError(
            f"There is no connector {wanted.connector!r}: see GET /v1/connectors.",
            errors=[{"pointer": "/connector", "detail": "unknown"}],
        )
    account = await connect_new(
        app, tx, who, wanted.connector, wanted.name, wanted.settings, wanted.credentials
    )
    response.headers["Location"] = f"/v1/accounts/{account.id}"
    return shown(app, account, response)


@routes.get("", permission="accounts:read")
async def list_accounts(
    app: CurrentApp, who: Who, tx: Tx, query: PageQuery, sort: ByTimeOrName = "-created_at"
) -> Page[AccountOut]:
    """The organization's accounts, the newest first, or by name."""
    order = ORDERS[sort]
    found = await accounts.listing(tx, who.org, None, order, query.place(sort, order), query.limit + 1)
    return query.page([shown(app, each) for each in found], sort, order)


@routes.get("/{account_id}", permission="accounts:read")
async def read_account(account_id: UUID, app: CurrentApp, who: Who, tx: Tx, response: Response) -> AccountOut:
    """One account; its ETag guards changes."""
    return shown(app, _found(await accounts.one(tx, accounts.READ, who.org, account_id)), response)


@routes.patch("/{account_id}", permission="accounts:write")
async def change_account(
    account_id: UUID,
    change: AccountPatch,
    app: CurrentApp,
    who: Who,
    tx: Tx,
    request: Request,
    response: Response,
) -> AccountOut:
    """Rename it, or connect it again with new settings or credentials."""
    before = _found(await accounts.one(tx, accounts.LOCK, who.org, account_id))
    check_if_match(request, before.sequence)
    settings, sealed, state = before.settings, before.sealed, before.state
    if change.settings is not None or change.credentials is not None:
        config = _merged(app, before, change)
        settings, sealed = config.settings.model_dump(mode="json"), _sealed(app, account_id, config)
        state = AccountState.CONNECTING
    name = change.name or before.name
    after = _found(
        await accounts.one(tx, accounts.CHANGE, who.org, account_id, name, state, settings, sealed)
    )
    await say_changed(tx, after)
    if state is AccountState.CONNECTING:
        ask_to_connect(tx, after)
    given = {"credentials_given": True} if change.credentials is not None else {}
    now = shown(app, after, response)
    note_change(shown(app, before), now.model_dump(mode="json") | given, user_id=before.user_id)
    return now


@routes.delete("/{account_id}", permission="accounts:write", status_code=204)
async def remove_account(account_id: UUID, who: Who, tx: Tx, request: Request) -> None:
    """Disconnect it: nothing comes in or goes out any more, and its credentials are forgotten."""
    before = _found(await accounts.one(tx, accounts.LOCK, who.org, account_id))
    check_if_match(request, before.sequence)
    after = await accounts.one(tx, accounts.DISCONNECT, who.org, account_id)
    if after is not None:
        await say_account(tx, after, IntegrationDisconnected)
        ask_to_disconnect(tx, after)


@routes.post("/{account_id}/check", permission="accounts:write")
async def check_account(account_id: UUID, app: CurrentApp, work: Work) -> HealthOut:
    """Ask the vendor how the account is; what it says may change the account's state."""
    org = work.who.org
    async with app.db.transaction(org) as reading:
        account = _found(await accounts.one(reading, accounts.READ, org, account_id))
    adapter = own(app).directory.adapter(account)
    if adapter is None or account.state is AccountState.DISCONNECTED:
        raise ConflictError("The account is disconnected.")
    verdict = await checking.ask(adapter)
    tx = await work.begin()
    await checking.record(tx, account, verdict)
    now = _found(await accounts.one(tx, accounts.READ, org, account_id))
    return HealthOut(ok=verdict.health.ok, detail=verdict.health.detail, account=shown(app, now))


async def connect_new(
    app: CurrentApp,
    tx: Tx,
    who: Who,
    connector: str,
    name: str,
    settings: dict[str, Any],
    credentials: dict[str, Any],
    *,
    own: bool = False,
) -> Account:
    """A new account that is being connected, of the organization or of who asks; a 422 problem names what is wrong."""
    config = _checked(connector, settings, credentials)
    account_id = new_id()
    account = await accounts.add(
        tx,
        who.org,
        account_id,
        connector,
        name,
        config.settings.model_dump(mode="json"),
        _sealed(app, account_id, config),
        who.user_id if own else None,
    )
    ask_to_connect(tx, account)
    return account


def _checked(connector: str, settings: dict[str, Any], credentials: dict[str, Any]) -> Config:
    """The configuration; a 422 problem that names what is wrong, without repeating it."""
    try:
        return ADAPTERS[connector].config_type.model_validate(
            {"settings": settings, "credentials": credentials}
        )
    except ValidationError as error:
        errors = [
            {"pointer": "".join(f"/{part}" for part in each["loc"]), "detail": each["msg"]}
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise UnprocessableError("Correct the values named in `errors`.", errors=errors) from None


def _merged(app: CurrentApp, before: Account, change: AccountPatch) -> Config:
    credentials = change.credentials
    if credentials is None:
        if before.sealed is None:
            raise UnprocessableError(
                "Its credentials were forgotten: give them again.",
                errors=[{"pointer": "/credentials", "detail": "missing"}],
            )
        credentials = own(app).directory.unseal(before.id, before.sealed).credentials
    settings = before.settings if change.settings is None else change.settings
    return _checked(before.connector, settings, credentials)


def _sealed(app: CurrentApp, account_id: UUID, config: Config) -> bytes:
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in config.credentials
    }
    return own(app).directory.seal(account_id, Sealed(plain, secrets.token_urlsafe(32)))


def _found(account: Account | None) -> Account:
    if account is None:
        raise NotFoundError("There is no such account.")
    return account


def shown(app: CurrentApp, account: Account, response: Response | None = None) -> AccountOut:
    """An account as its people see it."""
    if response is not None:
        set_etag(response, account.sequence)
    return AccountOut.of(account, own(app).directory.shown_hook_url(account.connector, account.id))

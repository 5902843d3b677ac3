"""/v1/api-keys: keys with which programs act for the organization."""

from datetime import UTC, datetime
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import Response
from flotilla.events.auth import ApiKeyCreated, ApiKeyRevoked
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    Work,
    set_etag,
)
from flotilla.http.sorting import ByTimeOrName
from flotilla.store.order import BY_NAME, BY_TIME
from pydantic import AwareDatetime, Field, StringConstraints

from flotilla_auth import events
from flotilla_auth.api.fields import Body, Name
from flotilla_auth.api.requests import NoStore
from flotilla_auth.api.users import acting
from flotilla_auth.api.views import View
from flotilla_auth.domain.api_keys import HINT_LENGTH, ApiKey, checked_scopes, new_api_key
from flotilla_auth.domain.opaque import digest
from flotilla_auth.store import api_keys as store
from flotilla_auth.store import organizations

routes = Routes("/v1/api-keys", tag="api-keys")
ORDERS = {**BY_TIME, **BY_NAME}

MOST_KEYS: Final = 100
"""Good ones of an organization: the gateway holds them all in memory."""
MOST_AN_HOUR: Final = 1_000_000

Scope = Annotated[str, StringConstraints(max_length=64)]


class ApiKeyView(View):
    """A key, by its first characters; its state is `active`, `expired` or `revoked`."""

    id: UUID
    name: str
    hint: str
    scopes: list[str]
    created_by: UUID
    created_at: datetime
    expires_at: datetime | None
    requests_per_hour: int | None
    """How often it may be used at most; null: as often as your plan allows."""
    revoked_at: datetime | None
    used_at: datetime | None
    """When it was last used, to the hour."""
    state: str = "active"

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """As it stands now."""
        view = cls.model_validate(key)
        view.state = key.state_at(datetime.now(UTC))
        return view


class NewApiKeyView(ApiKeyView):
    """The only answer that ever holds the key: keep it where secrets are kept."""

    key: str = ""


class NewApiKey(Body):
    """What the program may, and for how long."""

    name: Name
    scopes: list[Scope] = Field(min_length=1, max_length=100)
    """Permissions, each one that you have yourself."""
    expires_at: AwareDatetime | None = None
    """Null: until it is revoked."""
    requests_per_hour: int | None = Field(default=None, ge=1, le=MOST_AN_HOUR)
    """How often it may be used at most; null: as often as your plan allows. The plan's limit holds as well: a number
    above it gives no more, until you have another plan."""


@routes.post("", permission="api_keys:write", recent=True, status_code=201, dependencies=[NoStore])
async def create_api_key(body: NewApiKey, work: Work, who: Who, response: Response) -> NewApiKeyView:
    """Make a key; this answer alone holds it. Send it as `Authorization: Bearer flt_…` or `X-Api-Key`.

    The answer is not stored under an Idempotency-Key, as it holds a secret. It is revoked when its maker leaves
    or loses permissions.
    """
    if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
        detail = "It would have expired already."
        raise UnprocessableError(detail, errors=[{"pointer": "/expires_at", "detail": detail}])
    secret = new_api_key()
    async with work.app.db.transaction(who.org, cause=work.cause) as tx:
        # Held while keys are counted, and while its maker may be losing what the key is given.
        await organizations.lock(tx, who.org)
        actor = await acting(tx, who)
        scopes = checked_scopes(body.scopes, actor.role)
        if await store.count(tx, who.org) >= MOST_KEYS:
            raise ConflictError(f"An organization has at most {MOST_KEYS} keys: revoke one that is not used.")
        made = await store.insert(
            tx,
            who.org,
            tx.app.new_id(),
            name=body.name,
            hint=secret[:HINT_LENGTH],
            verifier=digest(secret),
            scopes=scopes,
            role=actor.role,
            created_by=actor.id,
            expires_at=body.expires_at,
            requests_per_hour=body.requests_per_hour,
        )
        events.api_key(tx, ApiKeyCreated, made)
    response.headers["Location"] = f"/v1/api-keys/{made.id}"
    set_etag(response, made.sequence)
    view = NewApiKeyView.of(made)
    view.key = secret
    return view


@routes.get("", permission="api_keys:read")
async def list_api_keys(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "-created_at"
) -> Page[ApiKeyView]:
    """All, the latest first, or in the order of `sort`; those that were revoked as well."""
    order = ORDERS[sort]
    rows = await store.page(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([ApiKeyView.of(row) for row in rows], sort, order)


@routes.get("/{api_key_id}", permission="api_keys:read")
async def read_api_key(api_key_id: UUID, tx: Tx, who: Who, response: Response) -> ApiKeyView:
    """One of them."""
    key = await store.read(tx, who.org, api_key_id)
    if key is None:
        raise NotFoundError("Your organization has no such key.")
    set_etag(response, key.sequence)
    return ApiKeyView.of(key)


@routes.delete("/{api_key_id}", permission="api_keys:write", recent=False, status_code=204)
async def revoke_api_key(api_key_id: UUID, tx: Tx, who: Who) -> None:
    """Refuse it everywhere, at once and for good; one that was revoked stays so."""
    revoked = await store.revoke(tx, who.org, api_key_id)
    if revoked is not None:
        events.api_key(
            tx, ApiKeyRevoked, revoked, revoked_at=revoked.revoked_at, reason=revoked.revoke_reason
        )
    elif await store.read(tx, who.org, api_key_id) is None:
        raise NotFoundError("Your organization has no such key.")

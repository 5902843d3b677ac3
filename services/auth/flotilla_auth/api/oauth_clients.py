"""/v1/oauth-clients, and /v1/oauth/token: partners' programs and their access tokens."""

from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Request, Response
from flotilla.events.security import OAuthClientCreated, OAuthClientSecretRotated
from flotilla.http import ConflictError, NotFoundError, Page, PageQuery, Routes, Tx, Who, Work, set_etag
from flotilla.http.bodies import raw_body
from flotilla.http.sorting import ByTimeOrName
from flotilla.store.order import BY_NAME, BY_TIME
from pydantic import BaseModel, Field, StringConstraints

from flotilla_auth import events
from flotilla_auth.api.fields import Body, Name
from flotilla_auth.api.requests import NoStore
from flotilla_auth.api.users import acting
from flotilla_auth.api.views import View
from flotilla_auth.domain import oauth_clients as domain
from flotilla_auth.domain.api_keys import checked_scopes
from flotilla_auth.domain.oauth_clients import InvalidClientError, InvalidRequestError, UnsupportedGrantError
from flotilla_auth.domain.opaque import digest, new_client_secret
from flotilla_auth.domain.signing import ACCESS_LIFETIME
from flotilla_auth.resources import own
from flotilla_auth.store import oauth_clients as store
from flotilla_auth.store import organizations

routes = Routes("/v1", tag="oauth-clients")
ORDERS = {**BY_TIME, **BY_NAME}

MOST_CLIENTS: Final = 100
LONGEST_FORM: Final = 8192

Scope = Annotated[str, StringConstraints(max_length=64)]


class OAuthClientView(View):
    """A partner's program; its state is `active` or `revoked`."""

    id: UUID
    name: str
    scopes: list[str]
    created_by: UUID
    created_at: datetime
    secret_rotated_at: datetime
    revoked_at: datetime | None
    state: str


class OAuthClientSecretView(OAuthClientView):
    """The only answer that ever holds the secret: keep it where secrets are kept."""

    client_secret: str = ""


class NewOAuthClient(Body):
    """What the program may."""

    name: Name
    scopes: list[Scope] = Field(min_length=1, max_length=100)
    """Permissions, each one that you have yourself."""


class Rotation(Body):
    """How the secret before gives way."""

    old_secret_hours: Annotated[int, Field(ge=0, le=168)] = 24
    """How long it stays good beside the new one."""


class TokenView(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int = int(ACCESS_LIFETIME.total_seconds())
    scope: str


TOKEN_FORM: Final = {
    "type": "object",
    "properties": {
        "grant_type": {"const": domain.GRANT},
        "scope": {"type": "string", "description": "Some of the client's scopes, separated by spaces."},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string"},
    },
    "required": ["grant_type"],
}
"""RFC 6749, section 4.4.2."""


@routes.post(
    "/oauth-clients", permission="api_keys:write", recent=True, status_code=201, dependencies=[NoStore]
)
async def create_oauth_client(
    body: NewOAuthClient, work: Work, who: Who, response: Response
) -> OAuthClientSecretView:
    """Make one; this answer alone holds its secret. It fetches tokens at POST /v1/oauth/token.

    The answer is not stored under an Idempotency-Key. It is revoked when its maker leaves or loses permissions.
    """
    secret = new_client_secret()
    async with work.app.db.transaction(who.org, cause=work.cause) as tx:
        # Held while clients are counted, and while its maker may be losing what the client is given.
        await organizations.lock(tx, who.org)
        actor = await acting(tx, who)
        scopes = checked_scopes(body.scopes, actor.role)
        if await store.count(tx, who.org) >= MOST_CLIENTS:
            raise ConflictError(f"An organization has at most {MOST_CLIENTS} clients: revoke one.")
        made = await store.insert(
            tx,
            who.org,
            tx.app.new_id(),
            name=body.name,
            scopes=scopes,
            role=actor.role,
            created_by=actor.id,
            secret_hash=digest(secret),
        )
        events.oauth_client(tx, OAuthClientCreated, made)
    response.headers["Location"] = f"/v1/oauth-clients/{made.id}"
    set_etag(response, made.sequence)
    return _with_secret(OAuthClientSecretView.model_validate(made), secret)


@routes.get("/oauth-clients", permission="api_keys:read")
async def list_oauth_clients(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "-created_at"
) -> Page[OAuthClientView]:
    """All, the latest first, or in the order of `sort`; those that were revoked as well."""
    order = ORDERS[sort]
    rows = await store.page(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([OAuthClientView.model_validate(row) for row in rows], sort, order)


@routes.get("/oauth-clients/{client_id}", permission="api_keys:read")
async def read_oauth_client(client_id: UUID, tx: Tx, who: Who, response: Response) -> OAuthClientView:
    """One of them."""
    client = await store.read(tx, who.org, client_id)
    if client is None:
        raise NotFoundError("Your organization has no such client.")
    set_etag(response, client.sequence)
    return OAuthClientView.model_validate(client)


@routes.post(
    "/oauth-clients/{client_id}/secret", permission="api_keys:write", recent=True, dependencies=[NoStore]
)
async def rotate_oauth_client_secret(
    client_id: UUID, body: Rotation, work: Work, who: Who
) -> OAuthClientSecretView:
    """Another secret, in this answer alone; the one before is good for a while more. 409 where it was revoked."""
    secret = new_client_secret()
    async with work.app.db.transaction(who.org, cause=work.cause) as tx:
        grace = timedelta(hours=body.old_secret_hours)
        now = await store.rotate(tx, who.org, client_id, digest(secret), grace)
        if now is None and await store.read(tx, who.org, client_id) is None:
            raise NotFoundError("Your organization has no such client.")
        if now is None:
            raise ConflictError("This client was revoked: make another.")
        events.oauth_client(tx, OAuthClientSecretRotated, now)
    return _with_secret(OAuthClientSecretView.model_validate(now), secret)


@routes.delete("/oauth-clients/{client_id}", permission="api_keys:write", recent=False, status_code=204)
async def revoke_oauth_client(client_id: UUID, tx: Tx, who: Who) -> None:
    """Refuse it and its tokens everywhere, at once and for good; one that was revoked stays so."""
    revoked = await store.revoke(tx, who.org, client_id)
    if revoked is not None:
        events.oauth_client_revoked(tx, revoked)
    elif await store.read(tx, who.org, client_id) is None:
        raise NotFoundError("Your organization has no such client.")


@routes.post(
    "/oauth/token",
    permission="public",
    limit="sign_in",
    dependencies=[NoStore],
    sent=raw_body("application/x-www-form-urlencoded", TOKEN_FORM),
)
async def issue_token(request: Request, work: Work) -> TokenView:
    """An access token for a client, good for a quarter of an hour (RFC 6749 section 4.4).

    A form: `grant_type=client_credentials`, `scope` for less than all, and the client's id and secret by HTTP Basic
    or as `client_id` and `client_secret`. Problems carry the RFC's `error` as well.
    """
    form = await _form(request)
    if form.get("grant_type") != domain.GRANT:
        raise UnsupportedGrantError("`grant_type` is `client_credentials`.")
    client_id, secret = domain.credentials(request.headers.get("authorization"), form)
    found = await store.find_secret(work.app.db, digest(secret))
    if found is None or found[1] != client_id:
        raise InvalidClientError
    async with work.app.db.transaction(found[0], cause=work.cause) as tx:
        client = await store.hold(tx, found[0], client_id)
        if client is None or client.revoked_at is not None:
            raise InvalidClientError
        scopes = domain.granted(client, form.get("scope"))
        token = own(work.app).tokens.sign_client(client, scopes)
    return TokenView(access_token=token, scope=" ".join(scopes))


async def _form(request: Request) -> dict[str, str]:
    """Its fields, none of which may come twice (section 3.2)."""
    if (
        request.headers.get("content-type", "").partition(";")[0].strip()
        != "application/x-www-form-urlencoded"
    ):
        raise InvalidRequestError("Send a form: `Content-Type: application/x-www-form-urlencoded`.")
    raw = await request.body()
    if len(raw) > LONGEST_FORM:
        raise InvalidRequestError("The form is too long.")
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise InvalidRequestError("The form cannot be read.") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidRequestError("A field comes twice.")
    return dict(pairs)


def _with_secret(view: OAuthClientSecretView, secret: str) -> OAuthClientSecretView:
    view.client_secret = secret
    return view

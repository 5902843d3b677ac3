"""/v1/identity-providers, /v1/sign-in/oidc and /v1/me/identities: accounts elsewhere."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from flotilla.http import CurrentApp, Routes, Tx, Who, Work
from pydantic import BaseModel, Field

from flotilla_auth import entrance, ownership
from flotilla_auth.api.fields import Body, Token
from flotilla_auth.api.requests import FromDevice, NoStore
from flotilla_auth.api.views import SecondStep, SignedIn, View
from flotilla_auth.oidc import flows, linking
from flotilla_auth.oidc.flows import Begun
from flotilla_auth.resources import own
from flotilla_auth.store import credentials, identities

routes = Routes("/v1", tag="sign-in")


class ProviderView(BaseModel):
    """A way to sign in elsewhere."""

    name: str
    title: str


class ProvidersView(BaseModel):
    """All of them."""

    items: list[ProviderView]


class Begin(Body):
    """With whom."""

    provider: Annotated[str, Field(max_length=40)]


class BeginSignIn(Begin):
    """The same, and where to, for people in several organizations."""

    organization_id: UUID | None = None


class BegunView(BaseModel):
    """Keep the token, and send the browser to the address; it comes back to `/sign-in/callback` with `code` and
    `state`, within ten minutes."""

    authorization_url: str
    flow_token: str

    @classmethod
    def of(cls, begun: Begun) -> Self:
        """As it was begun."""
        return cls(authorization_url=begun.authorization_url, flow_token=begun.flow_token)


class Ending(Body):
    """What was kept, and what the browser came back with."""

    flow_token: Token
    state: Annotated[str, Field(max_length=200)]
    code: Annotated[str, Field(min_length=1, max_length=4096)]


class IdentityView(View):
    """An account elsewhere with which the caller signs in."""

    id: UUID
    provider: str
    linked_at: datetime
    used_at: datetime | None


class IdentitiesView(BaseModel):
    """All of them: ten at most."""

    items: list[IdentityView]


@routes.get("/identity-providers", permission="public")
async def list_identity_providers(app: CurrentApp) -> ProvidersView:
    """With whom people can sign in here."""
    known = (issuer.provider for issuer in own(app).issuers.values())
    return ProvidersView(
        items=[ProviderView(name=each.name, title=each.title or each.name) for each in known]
    )


@routes.post("/sign-in/oidc", permission="public", limit="sign_in", dependencies=[NoStore])
async def begin_oidc_sign_in(body: BeginSignIn, app: CurrentApp) -> BegunView:
    """Begin to sign in with an account elsewhere. 404 where there is no such provider, 503 where it is away."""
    return BegunView.of(await flows.begin(app, body.provider, None, body.organization_id))


@routes.post("/sign-in/oidc/complete", permission="public", limit="sign_in", dependencies=[NoStore])
async def complete_oidc_sign_in(body: Ending, work: Work, device: FromDevice) -> SignedIn | SecondStep:
    """End it: a session, or its second step.

    401 where it is not the end of what was begun, or the issuer's word is not good; 403 where nobody here signs in
    with that account, and its address is not known on both sides to be its owner's.
    """
    token = body.flow_token.get_secret_value()
    flow, claims = await flows.end(work.app, token, body.state, body.code, None)
    user_id = await linking.person_of(work, flow.provider, claims)
    method = f"oidc:{flow.provider}"
    return await entrance.enter(work, user_id, flow.organization_id, method=method, device=device)


@routes.get("/me/identities", permission="profile:read")
async def list_identities(tx: Tx, who: Who) -> IdentitiesView:
    """Accounts elsewhere with which the caller signs in."""
    rows = await identities.list_of(tx, who.user_id)
    return IdentitiesView(items=[IdentityView(**row) for row in rows])


@routes.post("/me/identities", permission="profile:write", recent=True, dependencies=[NoStore])
async def begin_linking(body: Begin, work: Work, who: Who) -> BegunView:
    """Begin to link one; 403 `email-unverified` before the caller's address is known to be theirs."""
    mine = await credentials.memberships(work.app.db, who.user_id)
    async with work.app.db.transaction(mine) as tx:
        await ownership.check(tx, who, mine)
    return BegunView.of(await flows.begin(work.app, body.provider, who.user_id, None))


@routes.post("/me/identities/complete", permission="profile:write", status_code=204)
async def complete_linking(body: Ending, work: Work, who: Who) -> None:
    """End it: the caller signs in with it from now on. 409 where somebody does already."""
    token = body.flow_token.get_secret_value()
    flow, claims = await flows.end(work.app, token, body.state, body.code, who.user_id)
    mine = await credentials.memberships(work.app.db, who.user_id)
    async with work.app.db.transaction(mine, cause=work.cause) as tx:
        await ownership.check(tx, who, mine)
        await linking.link(tx, mine, who.user_id, flow.provider, claims)


@routes.delete("/me/identities/{identity_id}", permission="profile:write", status_code=204, recent=True)
async def unlink_identity(identity_id: UUID, work: Work, who: Who) -> None:
    """Remove one; the password stays, or is chosen anew by mail."""
    mine = await credentials.memberships(work.app.db, who.user_id)
    async with work.app.db.transaction(mine, cause=work.cause) as tx:
        await linking.unlink(tx, mine, who.user_id, identity_id)

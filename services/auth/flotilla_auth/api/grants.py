"""/v1/organization/grants: what the caller's organization lets others do."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from fastapi import Response
from flotilla.events.sharing import OrganizationGrantCreated
from flotilla.http import ConflictError, ForbiddenError, NotFoundError, Page, PageQuery, Routes, Tx, Who, Work
from flotilla.http.sorting import ByTime
from flotilla.problems import UnprocessableError
from flotilla.security.principal import Principal
from flotilla.security.sharing import GRANTABLE
from flotilla.store.order import BY_TIME
from pydantic import AwareDatetime, Field, model_validator

from flotilla_auth import grants
from flotilla_auth.api.fields import Body
from flotilla_auth.api.views import View
from flotilla_auth.store import grants as store
from flotilla_auth.store.grants import Grant

OWNER: Final = "owner"
NOT_THERE: Final = "There is no such grant of your organization."

routes = Routes("/v1/organization/grants", tag="organization")

Kind = Literal["data", "administration"]


class NewGrant(Body):
    """Let another organization read some of this one's things, or look after it."""

    organization_slug: Annotated[str, Field(min_length=1, max_length=100, description="Whom: their address.")]
    kind: Kind = "data"
    permissions: list[Annotated[str, Field(max_length=60)]] = Field(
        default=[],
        max_length=len(GRANTABLE),
        description="Of `data`, what its people may read: " + ", ".join(sorted(GRANTABLE)),
    )
    expires_at: AwareDatetime | None = Field(default=None, description="Null: until it is revoked.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == grants.DATA) != bool(self.permissions):
            raise ValueError("`permissions` say what `data` may be read; `administration` has none")
        if unknown := sorted(set(self.permissions) - GRANTABLE):
            raise ValueError(f"nobody else may have {', '.join(unknown)}")
        return self


class GrantView(View):
    """A grant."""

    id: UUID
    organization_id: UUID
    """Whose things they are."""
    grantee_id: UUID
    kind: Kind
    permissions: list[str]
    state: Literal["offered", "active", "revoked"]
    expires_at: datetime | None
    created_at: datetime
    revoked_at: datetime | None
    revoked_by: UUID | None


@routes.post("", permission="organization:write", recent=True, status_code=201)
async def create_grant(body: NewGrant, work: Work, who: Who, response: Response) -> GrantView:
    """Grant it; an owner may. `data` is good at once, `administration` once an owner of the other accepts it."""
    check_owner(who)
    if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
        raise UnprocessableError(
            "That is over already.", errors=[{"pointer": "/expires_at", "detail": "is past"}]
        )
    grantee = await store.find(work.app.db, body.organization_slug)
    if grantee is None or grantee == who.org:
        detail = "is no other organization's"
        raise UnprocessableError(
            "There is nobody to grant it to.", errors=[{"pointer": "/organization_slug", "detail": detail}]
        )
    async with work.app.db.transaction([who.org, grantee], cause=work.cause) as tx:
        if body.kind == grants.ADMINISTRATION and await store.has_parent(tx, who.org):
            raise ConflictError("Another organization looks after yours: end that first.")
        made = await store.insert(
            tx,
            who.org,
            work.app.new_id(),
            grantee=grantee,
            kind=body.kind,
            permissions=sorted(set(body.permissions)),
            state="active" if body.kind == grants.DATA else "offered",
            expires_at=body.expires_at,
        )
        grants.tell(tx, OrganizationGrantCreated, made)
    response.headers["Location"] = f"/v1/organization/grants/{made.id}"
    return GrantView.model_validate(made)


@routes.get("", permission="organization:write")
async def list_grants(tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at") -> Page[GrantView]:
    """What others may, the newest first, or as `sort` says."""
    order = BY_TIME[sort]
    found = await store.given(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([GrantView.model_validate(each) for each in found], sort, order)


@routes.get("/{grant_id}", permission="organization:write")
async def read_grant(grant_id: UUID, tx: Tx, who: Who) -> GrantView:
    """One of them."""
    found = await store.read(tx, who.org, grant_id)
    if found is None:
        raise NotFoundError(NOT_THERE)
    return GrantView.model_validate(found)


@routes.delete("/{grant_id}", permission="organization:write", recent=False, status_code=204)
async def revoke_grant(grant_id: UUID, work: Work, who: Who) -> None:
    """End it, at once and for good; one that has ended stays so."""
    check_owner(who)
    async with work.app.db.transaction(who.org) as tx:
        known = await store.read(tx, who.org, grant_id)
    if known is None:
        raise NotFoundError(NOT_THERE)
    await end(work, known, who.org)


async def end(work: Work, known: Grant, by: UUID) -> None:
    """End a grant, told to both sides."""
    orgs = [known.organization_id, known.grantee_id]
    async with work.app.db.transaction(orgs, cause=work.cause) as tx:
        held = await store.lock(tx, known.organization_id, known.id)
        if held is not None:
            await grants.revoke(tx, held, by)


def check_owner(who: Principal) -> None:
    """A 403 problem for anybody but an owner."""
    if who.role != OWNER:
        raise ForbiddenError("Only an owner of the organization may.")

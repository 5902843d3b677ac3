"""/v1/roles: the table of permissions, and roles that an organization makes itself."""

from dataclasses import replace
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Request, Response
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    check_if_match,
    set_etag,
)
from flotilla.http.bodies import Patch
from flotilla.http.sorting import ByTime
from flotilla.security.permissions import ROLES
from flotilla.store.order import BY_TIME
from pydantic import BaseModel, Field

from flotilla_auth import own_roles
from flotilla_auth.api.fields import Body, Name
from flotilla_auth.domain.own_roles import DELETED, OwnRole, checked, permissions_of
from flotilla_auth.store import roles as store

routes = Routes("/v1/roles", tag="roles")

Scope = Literal["own", "team", "all"]
Permissions = Annotated[
    dict[str, Scope],
    Field(
        max_length=200,
        description="`<resource>:<action>` to what it is for: `all`; `team`, records of the people of the person's"
        " teams, and of nobody; or `own`, the person's own.",
    ),
]


class NewRole(Body):
    """A role of the organization's own."""

    name: Name
    permissions: Permissions


class RoleChange(Patch):
    """What shall be different; `permissions` are all that it has then."""

    name: Name = ""
    permissions: Permissions = Field(default_factory=dict)


class RoleView(BaseModel):
    """A role and what it may; `id` is null for the built-in ones, which are the same everywhere."""

    id: UUID | None
    name: str
    base: str = Field(description="The built-in role that whoever has it is taken for.")
    permissions: list[str]
    scopes: dict[str, Scope]

    @classmethod
    def of(cls, role: OwnRole) -> Self:
        """Of an organization's own."""
        scopes = role.permissions
        return cls.model_validate(
            {
                "id": role.id,
                "name": role.name,
                "base": role.base,
                "permissions": sorted(scopes),
                "scopes": scopes,
            }
        )


def _built_in(name: str) -> RoleView:
    scopes = permissions_of(name, None)
    return RoleView.model_validate(
        {"id": None, "name": name, "base": name, "permissions": list(scopes), "scopes": scopes}
    )


@routes.get("", permission="users:read")
async def list_roles(tx: Tx, who: Who, query: PageQuery, sort: ByTime = "created_at") -> Page[RoleView]:
    """The organization's own, the oldest first; before them, on the first page, the built-in ones.

    The other way round the newest are first, and the built-in ones stand at the end of the last page.
    """
    order = BY_TIME[sort]
    after = query.place(sort, order)
    rows = await store.page(tx, who.org, order, after, query.limit + 1)
    own = query.page([RoleView.of(row) for row in rows], sort, order)
    built_in = [_built_in(name) for name in ROLES]
    if order.descending:
        own.items += built_in[::-1] if own.next_cursor is None else []
    elif after is None:
        own.items = [*built_in, *own.items]
    return own


@routes.post("", permission="roles:write", recent=True, status_code=201)
async def create_role(body: NewRole, tx: Tx, who: Who, response: Response) -> RoleView:
    """Make a role; 422 names permissions that it cannot have, 409 where another has its name."""
    base, permissions = checked(body.permissions)
    made = await store.insert(
        tx, who.org, tx.app.new_id(), name=body.name, base=base, permissions=permissions
    )
    if made is None or body.name.lower() in ROLES:
        raise _taken()
    own_roles.tell(tx, made)
    response.headers["Location"] = f"/v1/roles/{made.id}"
    return _view(made, response)


@routes.get("/{role_id}", permission="users:read")
async def read_role(role_id: UUID, tx: Tx, who: Who, response: Response) -> RoleView:
    """One of the organization's own."""
    return _view(_there(await store.read(tx, who.org, role_id)), response)


@routes.patch("/{role_id}", permission="roles:write", recent=True)
async def change_role(
    role_id: UUID, body: RoleChange, tx: Tx, who: Who, request: Request, response: Response
) -> RoleView:
    """Change it for everybody who has it, at once; who loses permissions by it is signed out."""
    before = _there(await store.lock(tx, who.org, role_id))
    check_if_match(request, before.sequence)
    wanted = before
    if "name" in body.model_fields_set:
        wanted = replace(wanted, name=body.name)
        if body.name.lower() in ROLES or await store.has_name(tx, wanted):
            raise _taken()
    if "permissions" in body.model_fields_set:
        base, permissions = checked(body.permissions)
        wanted = replace(wanted, base=base, permissions=permissions)
    if wanted == before:
        return _view(before, response)
    now = await store.update(tx, wanted)
    own_roles.tell(tx, now, before)
    await own_roles.follow_up(tx, before, now)
    return _view(now, response)


@routes.delete("/{role_id}", permission="roles:write", recent=True, status_code=204)
async def delete_role(role_id: UUID, tx: Tx, who: Who) -> None:
    """Delete it; 409 while somebody has it."""
    before = _there(await store.lock(tx, who.org, role_id))
    if await store.is_in_use(tx, before):
        raise ConflictError("Somebody has this role: give them another first.")
    own_roles.tell(tx, await store.update(tx, replace(before, state=DELETED)), before)


def _view(role: OwnRole, response: Response) -> RoleView:
    set_etag(response, role.sequence)
    return RoleView.of(role)


def _there(role: OwnRole | None) -> OwnRole:
    if role is None:
        raise NotFoundError("There is no such role in your organization.")
    return role


def _taken() -> ConflictError:
    return ConflictError("Another role has this name.")

"""/v1/me: the caller."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from fastapi import Request, Response
from flotilla.events.auth import UserUpdated
from flotilla.http import NotFoundError, Routes, Tx, Who, Work, check_if_match, set_etag
from flotilla.http.bodies import Patch
from flotilla.store.postgres import Transaction
from pydantic import BaseModel

from flotilla_auth import events
from flotilla_auth.api.fields import Locale, Name, TimeZone
from flotilla_auth.api.views import OrganizationView, UserView
from flotilla_auth.domain.entities import User
from flotilla_auth.domain.own_roles import permissions_of
from flotilla_auth.store import credentials, organizations, roles, users

routes = Routes("/v1/me", tag="me")
OWN_AVATAR: Final = "/v1/me/avatar"


class MeView(UserView):
    """The caller, where they are and what they may."""

    organization: OrganizationView
    permissions: list[str]
    email_verified: bool
    """Whether they have shown that mail to their address reaches them."""
    avatar_url: str | None
    """Where their picture is read by themselves, whatever their role; null: they have none."""


class MeChange(Patch):
    """What people may change of themselves; what is left out stays."""

    name: Name | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None


class MembershipView(BaseModel):
    """An organization that the caller belongs to, and what they are there."""

    id: UUID
    name: str
    slug: str
    role: str
    current: bool
    """Whether this session is of it; another one's begins with `organization_id` at the sign-in."""


class MembershipsView(BaseModel):
    """All of them, by name."""

    items: list[MembershipView]


@routes.get("", permission="profile:read")
async def read_me(tx: Tx, who: Who, response: Response) -> MeView:
    """The caller, their organization and their permissions."""
    return await view(tx, there(await users.read(tx, who.org, who.user_id)), response)


@routes.patch("", permission="profile:write")
async def change_me(body: MeChange, tx: Tx, who: Who, request: Request, response: Response) -> MeView:
    """Change one's name, language or time zone."""
    before = there(await users.lock(tx, who.org, who.user_id))
    check_if_match(request, before.sequence)
    wanted = replace(before, **body.model_dump(exclude_none=True))
    if wanted == before:
        return await view(tx, before, response)
    now = await users.update(tx, wanted)
    events.user(tx, UserUpdated, now, before)
    return await view(tx, now, response)


@routes.get("/organizations", permission="profile:read")
async def list_my_organizations(work: Work, who: Who) -> MembershipsView:
    """Where the caller has access; a program is told of the organization that it is a program of, alone."""
    mine = [who.org] if who.scopes is not None else await credentials.memberships(work.app.db, who.user_id)
    async with work.app.db.transaction(mine) as tx:
        rows = await organizations.of_person(tx, mine, who.user_id)
    return MembershipsView(items=[MembershipView(**row, current=row["id"] == who.org) for row in rows])


async def view(tx: Transaction, user: User, response: Response) -> MeView:
    """Somebody, where they are and what they may; the answer bears their state."""
    set_etag(response, user.sequence)
    organization = await organizations.read(tx, user.organization_id)
    own = await roles.read(tx, user.organization_id, user.role_id) if user.role_id else None
    credential = await credentials.read(tx, user.id)
    return MeView(
        **UserView.model_validate(user).model_dump(exclude={"avatar_url"}),
        avatar_url=user.avatar_at(OWN_AVATAR),
        organization=OrganizationView.model_validate(organization),
        permissions=sorted(permissions_of(user.role, own)),
        email_verified=credential is not None and credential["email_verified_at"] is not None,
    )


def there(user: User | None) -> User:
    """The caller; a 404 problem where they are gone."""
    if user is None:
        raise NotFoundError("You are not in this organization any more.")
    return user

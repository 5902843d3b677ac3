"""/v1/users: the people of the caller's organization."""

from dataclasses import replace
from typing import Final, Literal, Self
from uuid import UUID

from fastapi import Request, Response
from flotilla.events.auth import ApiKeyRevoked, InvitationRevoked, UserDeactivated, UserUpdated
from flotilla.http import (
    ForbiddenError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    check_if_match,
    set_etag,
)
from flotilla.http.bodies import Patch
from flotilla.http.routes import check_recent
from flotilla.http.sorting import ByTimeOrName
from flotilla.security.principal import Principal
from flotilla.store.order import BY_NAME, BY_TIME
from flotilla.store.postgres import Transaction
from pydantic import Field, model_validator

from flotilla_auth import events, sessions, teams
from flotilla_auth.api.fields import Role
from flotilla_auth.api.views import UserView
from flotilla_auth.domain import roles
from flotilla_auth.domain.entities import ACTIVE, User
from flotilla_auth.domain.own_roles import OwnRole, permissions_of
from flotilla_auth.store import api_keys, invitations, oauth_clients, organizations, users
from flotilla_auth.store import roles as role_store

routes = Routes("/v1/users", tag="users")
WHEN_IT_GIVES: Final = "it gives a role, or access back"
ORDERS = {**BY_TIME, **BY_NAME}


class UserChange(Patch):
    """What is left out stays."""

    role: Role | None = Field(default=None, description="A built-in one.")
    role_id: UUID | None = Field(default=None, description="One of the organization's own, instead.")
    state: Literal["active", "deactivated"] | None = None

    @model_validator(mode="after")
    def _one_role(self) -> Self:
        if self.role is not None and self.role_id is not None:
            raise ValueError("gives two roles")
        return self


@routes.get("", permission="users:read")
async def list_users(tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "created_at") -> Page[UserView]:
    """Everybody, in the order in which they came, or in that of `sort`."""
    order = ORDERS[sort]
    rows = await users.page(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([UserView.model_validate(row) for row in rows], sort, order)


@routes.get("/{user_id}", permission="users:read")
async def read_user(user_id: UUID, tx: Tx, who: Who, response: Response) -> UserView:
    """One person."""
    return _view(_there(await users.read(tx, who.org, user_id)), response)


@routes.patch("/{user_id}", permission="users:write", recent=WHEN_IT_GIVES)
async def change_user(
    user_id: UUID, body: UserChange, tx: Tx, who: Who, request: Request, response: Response
) -> UserView:
    """Give a role, end or restore somebody's access.

    403 where the caller may not, 409 where the organization would be left without an owner. Whoever loses
    access or permissions is signed out everywhere at once. A role, and access that was ended, are given by who has just
    proven who they are; access is ended by whoever may.
    """
    if body.role is not None or body.role_id is not None or body.state == ACTIVE:
        check_recent(who)
    # Held while owners are counted: two owners who leave at once would leave none.
    await organizations.lock(tx, who.org)
    actor = await acting(tx, who)
    # Before the person, as whoever changes the role for everybody does.
    own = await _own_role(tx, who.org, body.role_id) if body.role_id else None
    before = _there(await users.lock(tx, who.org, user_id))
    check_if_match(request, before.sequence)
    wanted = replace(before, state=body.state or before.state)
    if own is not None:
        wanted = replace(wanted, role=own.base, role_id=own.id)
    elif body.role is not None:
        wanted = replace(wanted, role=body.role, role_id=None)
    owners = await users.count_owners(tx, who.org)
    roles.check_change(actor, before, role=wanted.role, state=wanted.state, owners=owners)
    if wanted == before:
        return _view(before, response)
    now = await users.update(tx, wanted)
    await follow_up(tx, before, now)
    return _view(now, response)


async def acting(tx: Transaction, who: Principal) -> User:
    """The caller as they are now, whatever their token says; a 403 problem where they may not act any more."""
    actor = await users.read(tx, who.org, who.user_id)
    if actor is None or not actor.active:
        raise ForbiddenError("You have no access to this organization any more.")
    return actor


async def follow_up(tx: Transaction, before: User, now: User) -> None:
    """Tell it, and end what whoever lost access or permissions still had in hand."""
    leaves = before.active and not now.active
    events.user(tx, UserDeactivated if leaves else UserUpdated, now, before)
    loses = leaves or roles.loses_ownership(before, now)
    if not loses and not roles.loses_permissions(await _may(tx, before), await _may(tx, now)):
        return
    if leaves:
        await teams.leave(tx, now.organization_id, now.id, None)
    await sessions.end_all(tx, now, "user_deactivated" if leaves else "revoked")
    # An invitation somebody made and kept would be their way back.
    for revoked in await invitations.revoke_by(tx, now.organization_id, now.id):
        events.invitation(tx, InvitationRevoked, revoked)
    # So would a key, or a client, that they made.
    for client in await oauth_clients.revoke_by(tx, now.organization_id, now.id):
        events.oauth_client_revoked(tx, client)
    for key in await api_keys.revoke_by(tx, now.organization_id, now.id):
        events.api_key(tx, ApiKeyRevoked, key, revoked_at=key.revoked_at, reason=key.revoke_reason)


async def _may(tx: Transaction, user: User) -> dict[str, str]:
    own = await role_store.read(tx, user.organization_id, user.role_id) if user.role_id else None
    return permissions_of(user.role, own)


async def _own_role(tx: Transaction, organization_id: UUID, role_id: UUID) -> OwnRole:
    role = await role_store.hold(tx, organization_id, role_id)
    if role is None:
        detail = "Your organization has no such role."
        raise UnprocessableError(detail, errors=[{"pointer": "/role_id", "detail": detail}])
    return role


def _view(user: User, response: Response) -> UserView:
    set_etag(response, user.sequence)
    return UserView.model_validate(user)


def _there(user: User | None) -> User:
    if user is None:
        raise NotFoundError("There is no such person in your organization.")
    return user

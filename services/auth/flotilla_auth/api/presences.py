"""/v1/presences and /v1/me/presence: who is there."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who

from flotilla_auth import presence
from flotilla_auth.api.fields import Body
from flotilla_auth.api.orders import BY_USER, ByUser
from flotilla_auth.api.views import View
from flotilla_auth.store import presences as store
from flotilla_auth.store import users

routes = Routes("/v1/presences", tag="presences")
own_routes = Routes("/v1/me/presence", tag="me")

Status = Literal["online", "busy", "away", "offline"]


class SayPresence(Body):
    """What the caller is now."""

    status: Status


class PresenceView(View):
    """Whether somebody is there; `until` is when they count as offline unless heard of again."""

    user_id: UUID
    status: Status
    until: datetime | None
    changed_at: datetime


@routes.get("", permission="users:read")
async def list_presences(tx: Tx, who: Who, query: PageQuery, sort: ByUser = "user_id") -> Page[PresenceView]:
    """Of everybody who was ever there, in the order of their ids or the other way round."""
    order = BY_USER[sort]
    rows = await store.page(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([PresenceView.model_validate(row) for row in rows], sort, order)


@own_routes.put("", permission="profile:write", audited="nothing")
async def say_presence(body: SayPresence, tx: Tx, who: Who) -> PresenceView:
    """Say what you are, and say it again before `until`: else you count as offline."""
    if await users.read(tx, who.org, who.user_id) is None:
        raise NotFoundError("You are not in this organization any more.")
    return PresenceView.model_validate(await presence.say(tx, who.org, who.user_id, body.status))

"""/v1/teams/{team_id}/assignments: who of a team takes care of which client."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Query, Response
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who, set_etag
from flotilla.http.sorting import Sort
from flotilla.store.order import Order, both

from flotilla_auth import teams
from flotilla_auth.api.fields import Body
from flotilla_auth.api.teams import Skill, active, check_own, there
from flotilla_auth.api.views import View
from flotilla_auth.store import assignments as store
from flotilla_auth.store import teams as team_store

routes = Routes("/v1/teams/{team_id}/assignments", tag="teams")

Sorts = Sort[Literal["contact_id", "-contact_id"]]
ORDERS: Final = both("contact_id", Order(("contact_id",), (UUID,)))


class NewAssignment(Body):
    """The client to give to somebody: to whose turn it is, or to `user_id`."""

    contact_id: UUID
    skill: Skill | None = None
    user_id: UUID | None = None


class AssignmentView(View):
    """Who takes care of a client, and why it is them."""

    contact_id: UUID
    team_id: UUID
    user_id: UUID | None
    reason: str
    skill: str | None
    assigned_at: datetime


@routes.post("", permission="clients:assign")
async def assign_client(
    team_id: UUID, body: NewAssignment, tx: Tx, who: Who, response: Response
) -> AssignmentView:
    """Give a client to a member of the team.

    Whoever takes care of them already goes on, unless `user_id` names somebody else: so a request sent twice
    changes nothing. 409 where nobody who could has room, or the team is archived. With a permission that is for one's
    own teams alone, a client of another team's is not taken from it.
    """
    await check_own(tx, who, team_id, "clients:assign")
    team = active(there(await team_store.lock(tx, who.org, team_id)))
    if who.is_for_own_teams("clients:assign"):
        # Held from here on, so that no other team is given them meanwhile.
        held = await store.claim(tx, who.org, body.contact_id, team_id)
        if held.user_id is not None and held.team_id != team_id:
            await check_own(tx, who, held.team_id, "clients:assign")
    given = await teams.assign(tx, team, body.contact_id, skill=body.skill, user_id=body.user_id)
    set_etag(response, given.sequence)
    return AssignmentView.model_validate(given)


@routes.get("", permission="teams:read")
async def list_assignments(
    team_id: UUID,
    tx: Tx,
    who: Who,
    query: PageQuery,
    user_id: Annotated[UUID | None, Query()] = None,
    sort: Sorts = "contact_id",
) -> Page[AssignmentView]:
    """The team's clients, or those of one member, in the order of their ids or the other way round."""
    there(await team_store.read(tx, who.org, team_id))
    order = ORDERS[sort]
    after = query.place(sort, order)
    rows = await store.page(tx, who.org, team_id, user_id, order, after, query.limit + 1)
    return query.page([AssignmentView.model_validate(row) for row in rows], sort, order)


@routes.delete("/{contact_id}", permission="clients:assign", status_code=204)
async def release_client(team_id: UUID, contact_id: UUID, tx: Tx, who: Who) -> None:
    """Nobody takes care of them any more; in a sticky team they go back to the same person next time."""
    await check_own(tx, who, team_id, "clients:assign")
    there(await team_store.lock(tx, who.org, team_id))
    held = await store.read(tx, who.org, contact_id, lock=True)
    if held is None or held.user_id is None or held.team_id != team_id:
        raise NotFoundError("Nobody of this team takes care of them.")
    await teams.release(tx, held)

"""/v1/teams: who shares clients, and how clients come to them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from fastapi import Request, Response
from flotilla.events.auth import TeamCreated, TeamMemberAdded, TeamUpdated, WorkingHours
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who, check_if_match, set_etag
from flotilla.http.bodies import Patch
from flotilla.http.sorting import ByTimeOrName
from flotilla.problems import ConflictError, ForbiddenError, UnprocessableError
from flotilla.security.permissions import SCOPED, TEAM
from flotilla.security.principal import Principal
from flotilla.store.order import BY_NAME, BY_TIME
from flotilla.store.postgres import Transaction
from pydantic import Field, model_validator

from flotilla_auth import events, teams
from flotilla_auth.api.fields import Body, Name, TimeZone
from flotilla_auth.api.orders import BY_USER, ByUser
from flotilla_auth.api.views import View
from flotilla_auth.domain.teams import ACTIVE, Team
from flotilla_auth.store import teams as store
from flotilla_auth.store import users

routes = Routes("/v1/teams", tag="teams")
ORDERS = {**BY_TIME, **BY_NAME}

Distribution = Literal["round_robin", "weighted", "least_loaded", "by_skill"]
Skill = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,49}$", description="As `german` or `returns`.")]
Skills = Annotated[list[Skill], Field(max_length=50)]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Window(Body):
    """A window of the week, in the team's time zone; over midnight takes two."""

    weekday: Annotated[int, Field(ge=1, le=7, description="ISO 8601: 1 is Monday.")]
    opens: Clock
    closes: Clock

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("closes before it opens")
        return self


class NewTeam(Body):
    """A team without members yet."""

    name: Name
    skills: Skills = Field(default_factory=list)
    distribution: Distribution = "round_robin"
    sticky: bool = Field(default=True, description="Clients go back to who had them before.")
    time_zone: TimeZone = "UTC"
    hours: Annotated[list[Window], Field(max_length=50)] = Field(default_factory=list)


class TeamChange(Patch):
    """What shall be different; a field that is left out stays."""

    name: Name = ""
    skills: Skills = Field(default_factory=list)
    distribution: Distribution = "round_robin"
    sticky: bool = True
    time_zone: TimeZone = "UTC"
    hours: Annotated[list[Window], Field(max_length=50)] = Field(default_factory=list)
    state: Literal["active", "archived"] = "active"


class Membership(Body):
    """How somebody belongs to a team."""

    lead: bool = False
    skills: Skills = Field(default_factory=list)
    capacity: Annotated[int, Field(ge=0, le=10_000)] = 20
    weight: Annotated[int, Field(ge=0, le=1_000, description="Their share; none: no turn of theirs.")] = 1


class WindowView(View):
    """A window of the week."""

    weekday: int
    opens: str
    closes: str


class TeamView(View):
    """A team; no `hours`: it always works."""

    id: UUID
    name: str
    skills: list[str]
    distribution: Distribution
    sticky: bool
    time_zone: str
    hours: list[WindowView]
    state: Literal["active", "archived"]
    open_now: bool = Field(default=False, description="Whether it works at this moment.")
    created_at: datetime

    @classmethod
    def of(cls, team: Team) -> Self:
        """As it stands now."""
        view = cls.model_validate(team)
        view.open_now = team.is_open(datetime.now(UTC))
        return view


class MemberView(View):
    """Somebody's membership."""

    user_id: UUID
    lead: bool
    skills: list[str]
    capacity: int
    weight: int
    added_at: datetime


@routes.get("", permission="teams:read")
async def list_teams(tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "created_at") -> Page[TeamView]:
    """The oldest first, or in the order of `sort`."""
    order = ORDERS[sort]
    rows = await store.page(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([TeamView.of(row) for row in rows], sort, order)


@routes.post("", permission="teams:write", status_code=201)
async def create_team(body: NewTeam, tx: Tx, who: Who, response: Response) -> TeamView:
    """Make a team; not with a permission that is for one's own teams alone."""
    if who.is_for_own_teams("teams:write"):
        raise ForbiddenError("Your role is for your own teams alone: ask an administrator to make one.")
    team = await store.insert(tx, who.org, tx.app.new_id(), _fields(body.model_dump()))
    events.team(tx, TeamCreated, team)
    response.headers["Location"] = f"/v1/teams/{team.id}"
    return _view(team, response)


@routes.get("/{team_id}", permission="teams:read")
async def read_team(team_id: UUID, tx: Tx, who: Who, response: Response) -> TeamView:
    """One of them."""
    return _view(there(await store.read(tx, who.org, team_id)), response)


@routes.patch("/{team_id}", permission="teams:write")
async def change_team(
    team_id: UUID, body: TeamChange, tx: Tx, who: Who, request: Request, response: Response
) -> TeamView:
    """Change or archive it: an archived one is given no clients, and keeps those it has."""
    await check_own(tx, who, team_id, "teams:write")
    before = there(await store.lock(tx, who.org, team_id))
    check_if_match(request, before.sequence)
    wanted = replace(before, **_fields(body.model_dump(exclude_unset=True)))
    if wanted == before:
        return _view(before, response)
    now = await store.update(tx, wanted)
    events.team(tx, TeamUpdated, now, before)
    return _view(now, response)


@routes.get("/{team_id}/members", permission="teams:read")
async def list_members(
    team_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByUser = "user_id"
) -> Page[MemberView]:
    """In the order of their ids, or the other way round."""
    there(await store.read(tx, who.org, team_id))
    order = BY_USER[sort]
    after = query.place(sort, order)
    rows = await store.page_members(tx, who.org, team_id, order, after, query.limit + 1)
    return query.page([MemberView.model_validate(row) for row in rows], sort, order)


@routes.put("/{team_id}/members/{user_id}", permission="teams:write")
async def put_member(
    team_id: UUID, user_id: UUID, body: Membership, tx: Tx, who: Who, request: Request, response: Response
) -> MemberView:
    """Add somebody, or change how they belong to the team; their skills are some of the team's."""
    await check_own(tx, who, team_id, "teams:write")
    # The person first, then the team, as whoever ends their access does; and who leaves meanwhile leaves the team.
    user = await users.hold(tx, who.org, user_id)
    team = active(there(await store.lock(tx, who.org, team_id)))
    unknown = sorted(set(body.skills) - set(team.skills))
    if unknown:
        detail = f"the team has no {', '.join(unknown)}"
        raise UnprocessableError("Skills are a team's.", errors=[{"pointer": "/skills", "detail": detail}])
    if user is None:
        raise NotFoundError("There is no such person in your organization.")
    if not user.active:
        raise ConflictError("They have no access to your organization any more.")
    wanted, before = body.model_dump(), await store.read_member(tx, who.org, team_id, user_id)
    check_if_match(request, before.sequence if before is not None else 0)
    if before is None:
        await _check_addition(tx, who, team_id, user_id)
    if before is not None and all(getattr(before, name) == value for name, value in wanted.items()):
        set_etag(response, before.sequence)
        return MemberView.model_validate(before)
    member = await store.put_member(tx, team, user_id, wanted)
    teams.tell_member(tx, TeamMemberAdded, member)
    set_etag(response, member.sequence)
    return MemberView.model_validate(member)


@routes.delete("/{team_id}/members/{user_id}", permission="teams:write", status_code=204)
async def remove_member(team_id: UUID, user_id: UUID, tx: Tx, who: Who) -> None:
    """Somebody belongs to it no longer; the clients they took care of in it are nobody's."""
    await check_own(tx, who, team_id, "teams:write")
    there(await store.lock(tx, who.org, team_id))
    if not await teams.leave(tx, who.org, user_id, team_id):
        raise NotFoundError("They are no member of this team.")


def there(team: Team | None) -> Team:
    """The team; a 404 problem where there is none."""
    if team is None:
        raise NotFoundError("There is no such team in your organization.")
    return team


async def check_own(tx: Transaction, who: Principal, team_id: UUID, permission: str) -> None:
    """A 403 problem where the permission is for the caller's own teams alone, and this is none of them."""
    if who.is_for_own_teams(permission):
        there(await store.read(tx, who.org, team_id))
        if await store.read_member(tx, who.org, team_id, who.user_id) is None:
            raise ForbiddenError("Your role is for your own teams alone, and you are no member of this one.")


async def _check_addition(tx: Transaction, who: Principal, team_id: UUID, user_id: UUID) -> None:
    """A 403 problem where the caller would give themselves more: they see what is their teams' people's."""
    by_teams = who.grants is not None and any(who.grants.get(name) == TEAM for name in SCOPED)
    if by_teams and (
        user_id == who.user_id or await store.read_member(tx, who.org, team_id, who.user_id) is not None
    ):
        raise ForbiddenError(
            "Your role shows you what is your teams' people's: ask an administrator to add somebody."
        )


def active(team: Team) -> Team:
    """The team; a 409 problem where it is archived."""
    if team.state != ACTIVE:
        raise ConflictError("This team is archived.")
    return team


def _view(team: Team, response: Response) -> TeamView:
    set_etag(response, team.sequence)
    return TeamView.of(team)


def _fields(said: dict[str, Any]) -> dict[str, Any]:
    if "hours" in said:
        said["hours"] = msgspec.convert(said["hours"], list[WorkingHours])
    return said

"""/v1/feature-flags: which features an organization has on, and for how many."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final, Literal
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
from flotilla.http.sorting import Sort
from flotilla.store.order import BY_TIME, Order, both
from pydantic import Field

from flotilla_auth import feature_flags
from flotilla_auth.api.fields import Body
from flotilla_auth.api.views import View
from flotilla_auth.store import feature_flags as store
from flotilla_auth.store.feature_flags import FeatureFlag

routes = Routes("/v1/feature-flags", tag="feature flags")

Environment = Literal["development", "staging", "production", "any"]
Percentage = Annotated[
    int, Field(ge=0, le=100, description="Of an organization's people, the same each time.")
]
Description = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Sorts = Sort[Literal["created_at", "-created_at", "key", "-key"]]
ORDERS: Final = {**BY_TIME, **both("key", Order(("key", "environment"), (str, str)))}


class NewFlag(Body):
    """A feature, in one environment or in any."""

    key: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", description="As `quick-replies`.")]
    environment: Environment = "any"
    enabled: bool = True
    percentage: Percentage = 100
    description: Description = ""


class FlagChange(Patch):
    """What shall be different; a field that is left out stays."""

    enabled: bool = True
    percentage: Percentage = 100
    description: Description = ""


class FlagView(View):
    """A feature flag."""

    id: UUID
    key: str
    environment: Environment
    enabled: bool
    percentage: int
    description: str
    created_at: datetime


@routes.get("", permission="feature_flags:read")
async def list_feature_flags(
    tx: Tx, who: Who, query: PageQuery, sort: Sorts = "created_at"
) -> Page[FlagView]:
    """The organization's own, the oldest first or by key; where it says nothing of a feature, the platform does."""
    order = ORDERS[sort]
    found = await store.page(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([FlagView.model_validate(flag) for flag in found], sort, order)


@routes.post("", permission="feature_flags:write", status_code=201)
async def create_feature_flag(body: NewFlag, tx: Tx, who: Who, response: Response) -> FlagView:
    """Say something of a feature; 409 where the organization does so already, in this environment."""
    made = await store.insert(tx, who.org, tx.app.new_id(), **body.model_dump())
    if made is None:
        raise ConflictError("There is a flag of this key in this environment: change that one.")
    feature_flags.tell(tx, made)
    response.headers["Location"] = f"/v1/feature-flags/{made.id}"
    return _view(made, response)


@routes.get("/{flag_id}", permission="feature_flags:read")
async def read_feature_flag(flag_id: UUID, tx: Tx, who: Who, response: Response) -> FlagView:
    """One of them."""
    return _view(_there(await store.read(tx, who.org, flag_id)), response)


@routes.patch("/{flag_id}", permission="feature_flags:write")
async def change_feature_flag(
    flag_id: UUID, body: FlagChange, tx: Tx, who: Who, request: Request, response: Response
) -> FlagView:
    """Turn it on or off, or change for how many; all services know within a second."""
    before = _there(await store.lock(tx, who.org, flag_id))
    check_if_match(request, before.sequence)
    wanted = replace(before, **body.model_dump(exclude_unset=True))
    if wanted == before:
        return _view(before, response)
    now = await store.update(tx, wanted)
    feature_flags.tell(tx, now, before)
    return _view(now, response)


@routes.delete("/{flag_id}", permission="feature_flags:write", status_code=204)
async def delete_feature_flag(flag_id: UUID, tx: Tx, who: Who, request: Request) -> None:
    """Say nothing of the feature any more."""
    before = _there(await store.lock(tx, who.org, flag_id))
    check_if_match(request, before.sequence)
    now = await store.update(tx, replace(before, enabled=False, state="deleted"))
    feature_flags.tell(tx, now, before)


def _view(flag: FeatureFlag, response: Response) -> FlagView:
    set_etag(response, flag.sequence)
    return FlagView.model_validate(flag)


def _there(flag: FeatureFlag | None) -> FeatureFlag:
    if flag is None:
        raise NotFoundError("There is no such flag in your organization.")
    return flag

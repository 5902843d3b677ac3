"""/v1/retention: how long the organization keeps which kind of data, and its legal hold."""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import Request, Response
from flotilla.http import ForbiddenError, Routes, Tx, Who, check_if_match, set_etag
from flotilla.http.bodies import Patch
from flotilla.privacy.kinds import EVERYTHING, KINDS, Kind, is_held, period_of
from flotilla.problems import UnprocessableError
from pydantic import AwareDatetime, BaseModel, Field

from flotilla_auth import retention
from flotilla_auth.store import retention as store
from flotilla_auth.store.retention import Retention

OWNER: Final = "owner"
MOST_DAYS: Final = 36_500

routes = Routes("/v1/retention", tag="privacy")

Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]


class RetentionChange(Patch):
    """What is left out stays."""

    periods: dict[str, Days | None] = Field(
        default={},
        max_length=100,
        description="Kind to days, null: as long as the organization is there. Replaces all that was decided before:"
        " a kind that is not in it is kept by default.",
    )
    held: list[Annotated[str, Field(max_length=40)]] = Field(
        default=[],
        max_length=100,
        description="A legal hold: kinds of which nothing goes by its age, or `all`. Replaces the one before.",
    )
    reason: str = Field(
        default="",
        max_length=500,
        pattern=r"^[^\x00]*$",
        description="Of the hold: a file number, and nobody's name.",
    )


class KindView(BaseModel):
    """A kind of data."""

    kind: str
    what: str
    days: int | None
    """How long it is kept; null: as long as the organization is there."""
    decided: bool
    """By the organization itself; else it is as by default."""
    default_days: int | None
    least_days: int
    most_days: int | None
    """Null: there is no limit."""
    plan_days: int | None
    """What the plan has you keep at most, from `plan_from` on: the smaller counts. Null: it does not bound this."""
    why: str
    """Where the limits come from."""
    held: bool
    """Under a legal hold: nothing goes, however old."""


class RetentionView(BaseModel):
    """How long what is kept."""

    kinds: list[KindView]
    held: list[str]
    reason: str | None
    plan_from: AwareDatetime | None
    """From when on the plan's bound holds; nothing goes by it before."""


@routes.get("", permission="privacy:read")
async def read_retention(tx: Tx, who: Who, response: Response) -> RetentionView:
    """Every kind of data, how long it is kept, and within which limits that may be changed."""
    return _view(await store.read(tx, who.org), response)


@routes.patch("", permission="privacy:write", recent=True)
async def change_retention(
    body: RetentionChange, tx: Tx, who: Who, request: Request, response: Response
) -> RetentionView:
    """Keep kinds for other periods, or set or end a legal hold; an owner may. What is older goes within a day.

    422 where a period is outside its kind's limits.
    """
    if who.role != OWNER:
        raise ForbiddenError("Only an owner of the organization may.")
    wished = body.model_dump(include=body.model_fields_set)
    _check(wished)
    before = await store.lock(tx, who.org)
    check_if_match(request, before.sequence)
    if "held" in wished:
        wished["held"] = sorted(set(wished["held"]))
    wanted = replace(before, **wished)
    if wanted == before:
        return _view(before, response)
    now = await store.update(tx, wanted)
    retention.tell(tx, now, before)
    return _view(now, response)


def _check(wished: dict[str, Any]) -> None:
    errors = []
    for name, days in wished.get("periods", {}).items():
        if objection := _objection(KINDS.get(name), days):
            errors.append({"pointer": f"/periods/{name}", "detail": objection})
    for place, name in enumerate(wished.get("held", ())):
        if name != EVERYTHING and name not in KINDS:
            errors.append({"pointer": f"/held/{place}", "detail": "is no kind of data"})
    if errors:
        raise UnprocessableError("That cannot be kept so.", errors=errors)


def _objection(kind: Kind | None, days: int | None) -> str | None:
    if kind is None:
        return "is no kind of data"
    if kind.allows(days):
        return None
    most = "as long as you want" if kind.most is None else f"{kind.most} days"
    return f"has to be from {kind.least} days to {most}: {kind.why}"


def _view(now: Retention, response: Response) -> RetentionView:
    set_etag(response, now.sequence)
    held = frozenset(now.held)
    kinds = [
        KindView(
            kind=name,
            what=kind.what,
            days=period_of(name, now.periods),
            decided=name in now.periods,
            default_days=kind.default,
            least_days=kind.least,
            most_days=kind.most,
            plan_days=None if now.bound_days is None or not kind.by_plan else max(now.bound_days, kind.least),
            why=kind.why,
            held=is_held(name, held),
        )
        for name, kind in KINDS.items()
    ]
    return RetentionView(kinds=kinds, held=now.held, reason=now.reason, plan_from=now.bound_from)

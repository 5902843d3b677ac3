"""/v1/inboxes: where conversations arrive, when somebody is there, and what the AI may do."""

import zoneinfo
from functools import cache
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from fastapi import Request, Response
from flotilla.events.messaging import Hours
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who, check_if_match, set_etag
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import ByTimeOrName
from flotilla.store.order import BY_NAME, BY_TIME
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from flotilla_messaging.domain.inboxes import Inbox
from flotilla_messaging.events import AUDIENCE
from flotilla_messaging.store import inboxes as store

routes = Routes("/v1/inboxes", tag="inboxes")
ORDERS = {**BY_TIME, **BY_NAME}

AiMode = Literal["off", "draft", "autopilot"]
TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _time_zone(text: str) -> str:
    if text not in _time_zones():
        raise ValueError("is no time zone of the IANA database")
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be shown")
    return text


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    AfterValidator(_printable),
]
Channel = Annotated[str, Field(pattern="^[a-z0-9_-]{1,50}$")]
TimeZone = Annotated[str, AfterValidator(_time_zone), Field(description="IANA, as `Europe/Berlin`.")]


class Window(Written):
    """When somebody is there, in the inbox's time zone; over midnight takes two."""

    weekday: Annotated[int, Field(ge=1, le=7, description="ISO 8601: 1 is Monday.")]
    opens: Annotated[str, Field(pattern=TIME)]
    closes: Annotated[str, Field(pattern=TIME)]

    @model_validator(mode="after")
    def _in_order(self) -> "Window":
        if self.opens >= self.closes:
            raise ValueError("closes before it opens")
        return self


class InboxPatch(Patch):
    """What shall be different; a field that is left out stays."""

    name: Name = ""
    channels: Annotated[list[Channel], Field(max_length=50)] = Field(default_factory=list)
    time_zone: TimeZone = "UTC"
    hours: Annotated[list[Window], Field(max_length=50)] = Field(default_factory=list)
    ai_mode: AiMode = "draft"


class WindowOut(Shown):
    """When somebody is there."""

    weekday: int
    opens: str
    closes: str


class InboxOut(Shown):
    """An inbox; no `channels`: those of every channel; no `hours`: always."""

    id: UUID
    name: str
    channels: list[str]
    time_zone: str
    hours: list[WindowOut]
    ai_mode: AiMode
    is_default: bool


@routes.get("", permission="inboxes:read")
async def list_inboxes(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "created_at"
) -> Page[InboxOut]:
    """The oldest first, or in the order of `sort`."""
    order = ORDERS[sort]
    found = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([InboxOut.model_validate(each) for each in found], sort, order)


@routes.get("/{inbox_id}", permission="inboxes:read")
async def read_inbox(inbox_id: UUID, tx: Tx, who: Who, response: Response) -> InboxOut:
    """One inbox; its ETag guards changes."""
    return _shown(_there(await store.read(tx, who.org, inbox_id)), response)


@routes.patch("/{inbox_id}", permission="inboxes:write")
async def change_inbox(
    inbox_id: UUID, body: InboxPatch, tx: Tx, who: Who, request: Request, response: Response
) -> InboxOut:
    """Rename it, say what belongs to it, when somebody is there, and what the AI may do."""
    before = _there(await store.read(tx, who.org, inbox_id, lock=True))
    check_if_match(request, before.sequence)
    wanted = body.model_dump(exclude_unset=True)
    if "hours" in wanted:
        wanted["hours"] = msgspec.convert(wanted["hours"], list[Hours])
    revised = before.revised(wanted)
    if revised == before:
        return _shown(before, response)
    saved = await store.save(tx, who.org, revised)
    tx.emit(saved.updated(before), org=who.org, sequence=saved.sequence, audience=AUDIENCE)
    return _shown(saved, response)


def _shown(inbox: Inbox, response: Response) -> InboxOut:
    set_etag(response, inbox.sequence)
    return InboxOut.model_validate(inbox)


def _there(inbox: Inbox | None) -> Inbox:
    if inbox is None:
        raise NotFoundError("There is no inbox with this id.")
    return inbox

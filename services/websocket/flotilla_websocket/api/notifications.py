"""/v1/notifications: what the caller was told; /v1/notification-preferences: of what they want to be, and how."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.events.websocket import NotificationRead
from flotilla.http import (
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import ByTime
from flotilla.security.principal import Principal
from flotilla.store.order import BY_CREATED
from flotilla.store.postgres import Row, Transaction
from pydantic import AwareDatetime, Field, model_validator

from flotilla_websocket.domain.notifications import Choice
from flotilla_websocket.store import notifications as store

routes = Routes("/v1/notifications", tag="notifications")
preferences = Routes("/v1/notification-preferences", tag="notifications")

READ_AT_ONCE: Final = 1000
KIND: Final = r"^(\*|[a-z][a-z0-9_]{0,40}(\.[a-z][a-z0-9_]{0,40}){0,3})$"


class NotificationOut(Shown):
    """Something the caller was told; `read_at` is null until they have read it."""

    id: UUID
    kind: str
    title: str
    text: str | None
    link: str | None = Field(description="Where it leads, in the console.")
    params: dict[str, str] | None = Field(description="What a translation of `kind` is filled in with.")
    created_at: datetime
    read_at: datetime | None


class UnreadOut(Shown):
    """How many the caller has not read."""

    unread: int = Field(description=f"At most {store.COUNTED}: more are not counted.")


class ReadIn(Written):
    """Up to which moment everything was seen."""

    until: AwareDatetime | None = Field(
        default=None, description="What came later stays unread; left out: now."
    )


class ReadOut(UnreadOut):
    """How many were marked as read, and how many are not."""

    read: int = Field(description=f"At most {READ_AT_ONCE} at once: repeat it while some are unread.")


class ChoiceBody(Written):
    """How the caller is told of one kind of thing."""

    kind: str = Field(
        pattern=KIND,
        description="`task.due`; all of a family: `task`; or `*` for everything. The nearest holds.",
        examples=["task.due"],
    )
    in_app: bool = Field(default=True, description="In this list, and live.")
    email: bool = Field(
        default=False, description="Kept for when mail can be sent to members; none is sent yet."
    )


class PreferencesBody(Written):
    """All that the caller chose; what is not named is shown in the app."""

    choices: Annotated[list[ChoiceBody], Field(max_length=200)]

    @model_validator(mode="after")
    def _each_once(self) -> "PreferencesBody":
        if len({choice.kind for choice in self.choices}) < len(self.choices):
            raise ValueError("names a kind twice")
        return self


@routes.get("", permission="profile:read")
async def list_notifications(
    tx: Tx,
    who: Who,
    query: PageQuery,
    unread: Annotated[bool, Query(description="Only unread ones.")] = False,
    sort: ByTime = "-created_at",
) -> Page[NotificationOut]:
    """The caller's own, the newest first, or as `sort` says; they are kept for 90 days."""
    order = BY_CREATED[sort]
    after = query.place(sort, order)
    rows = await store.listing(tx, who.org, who.user_id, order, after, query.limit + 1, unread=unread)
    return query.page([_shown(row) for row in rows], sort, order)


@routes.get("/unread-count", permission="profile:read")
async def count_unread_notifications(tx: Tx, who: Who) -> UnreadOut:
    """How many the caller has not read."""
    return UnreadOut(unread=await store.unread(tx, who.org, who.user_id))


@routes.post("/read", permission="profile:write", audited="nothing")
async def mark_all_notifications_read(body: ReadIn, tx: Tx, who: Who) -> ReadOut:
    """The caller has seen everything, up to a moment."""
    read = await _read(tx, who, None, body.until or datetime.now(UTC), READ_AT_ONCE)
    return ReadOut(read=len(read), unread=await store.unread(tx, who.org, who.user_id))


@routes.post("/{notification_id}/read", permission="profile:write", audited="nothing")
async def mark_notification_read(notification_id: UUID, tx: Tx, who: Who) -> NotificationOut:
    """The caller has read it; said twice, the first time stays."""
    row = await store.one(tx, who.org, who.user_id, notification_id)
    if row is None:
        raise NotFoundError("You have no notification with this id.")
    shown = _shown(row)
    read = await _read(tx, who, notification_id, row["created_at"], 1)
    return shown.model_copy(update={"read_at": read[0]["read_at"]}) if read else shown


@preferences.get("", permission="profile:read")
async def read_notification_preferences(tx: Tx, who: Who, response: Response) -> PreferencesBody:
    """What the caller chose; its ETag guards changes."""
    choices, version = await store.preferences(tx, who.org, who.user_id)
    set_etag(response, version)
    return _body(choices)


@preferences.put("", permission="profile:write")
async def choose_notification_preferences(
    body: PreferencesBody, tx: Tx, who: Who, request: Request, response: Response
) -> PreferencesBody:
    """Choose anew what to be told of, and how; what was chosen before is forgotten."""
    before, version = await store.preferences(tx, who.org, who.user_id, lock=True)
    check_if_match(request, version)
    choices = [Choice(**choice.model_dump()) for choice in body.choices]
    version = await store.prefer(tx, who.org, who.user_id, choices)
    note_change(_body(before), shown := _body(choices), user_id=who.user_id)
    set_etag(response, version)
    return shown


async def _read(tx: Transaction, who: Principal, only: UUID | None, until: datetime, limit: int) -> list[Row]:
    rows = await store.read(tx, who.org, who.user_id, only, until, limit)
    for row in rows:
        fact = NotificationRead(
            notification_id=row["id"], user_id=who.user_id, kind=row["kind"], read_at=row["read_at"]
        )
        tx.emit(fact, org=who.org, sequence=row["sequence"], audience=f"user:{who.user_id}")
    return rows


def _shown(row: Row) -> NotificationOut:
    fields: dict[str, Any] = {name: row[name] for name in NotificationOut.model_fields}
    return NotificationOut(**fields)


def _body(choices: list[Choice]) -> PreferencesBody:
    found = [ChoiceBody(kind=each.kind, in_app=each.in_app, email=each.email) for each in choices]
    return PreferencesBody(choices=found)

"""Events of websocket: what people are told."""

from functools import partial
from typing import Annotated
from uuid import UUID

from flotilla.events.base import PERSONAL, Event, Moment, Personal, event

_event = partial(event, owner="websocket")


@_event("notification.requested.v1", subject="notification_id", person=("user_id",), wish=True)
class NotificationRequested(Event, frozen=True, kw_only=True):
    """A person shall be told something. Answered by `notification.delivered` or `notification.failed`.

    One notification a `notification_id`, however often it is asked for.
    """

    notification_id: UUID
    user_id: UUID
    """Whom to tell."""
    kind: str
    """A slug of who asks: `organization.ready`, `task.due`, …; people choose by it what they are told, and how."""
    title: Personal
    text: Personal
    link: str | None
    """Where it leads, in the console: `/deals/<id>`."""
    params: Annotated[dict[str, str] | None, PERSONAL] = None
    """What a translation of `kind` is filled in with."""


@_event("notification.delivered.v1", subject="notification_id", person=("user_id",))
class NotificationDelivered(Event, frozen=True, kw_only=True):
    """It stands in the person's list, unread; `title`, `text` and `link` are what was asked for."""

    notification_id: UUID
    user_id: UUID
    kind: str
    title: Personal = None
    text: Personal = None
    link: str | None = None


@_event("notification.failed.v1", subject="notification_id", person=("user_id",))
class NotificationFailed(Event, frozen=True, kw_only=True):
    """The person will not be told; the reason says why."""

    notification_id: UUID
    user_id: UUID
    kind: str
    reason: str
    """`unknown_user`; `deactivated`: they have left; `muted`: they want nothing of this kind; `no_channel`: not where
    it could be shown; `erased`: there is nothing left to tell."""


@_event("notification.read.v1", subject="notification_id", person=("user_id",))
class NotificationRead(Event, frozen=True, kw_only=True):
    """The person has seen it, or said that they have seen all."""

    notification_id: UUID
    user_id: UUID
    kind: str
    read_at: Moment

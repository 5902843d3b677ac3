"""What every connector of calendars is asked to do (INT-9): put an event, take it away, say what has changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from flotilla_integrations.adapters.base import Action

CALENDAR: Final = "calendar"
"""The kind of these connectors."""
PUT_EVENT: Final = "put_event"
DELETE_EVENT: Final = "delete_event"
LIST_CHANGES: Final = "list_changes"


class PutEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that shall stand in the calendar. Repeated under the same `uid`, it stands there once."""

    uid: str
    title: str
    description: str
    starts_at: datetime
    ends_at: datetime


class StandingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """It stands there."""

    external_id: str
    """What deletes it."""
    etag: str | None


class DeleteEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that shall stand there no more; one that is gone already is no error."""

    uid: str
    external_id: str | None
    """As the calendar called it; None where its answer was lost."""


class GoneEvent(msgspec.Struct, frozen=True, kw_only=True):
    """It stands there no more."""


class ListChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed since a token was given; everything where there is none."""

    token: str | None
    known: Mapping[str, str]
    """The etag of each item that was there, by its external id."""
    details: bool
    """Whether the times of what changed are wanted; the first look only wants to know what is there."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a calendar; its times where they were asked for and can be read."""

    external_id: str
    etag: str
    uid: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    all_day: bool = False
    recurring: bool = False
    busy: bool = True
    status: str = "confirmed"
    """`confirmed`, `tentative` or `cancelled`."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from what was known."""

    token: str | None
    there: tuple[Item, ...]
    """New, or with another etag."""
    gone: tuple[str, ...]


ACTIONS: Final[Mapping[str, Action]] = {
    PUT_EVENT: Action(PutEvent, StandingEvent),
    DELETE_EVENT: Action(DeleteEvent, GoneEvent),
    LIST_CHANGES: Action(ListChanges, Changes),
}

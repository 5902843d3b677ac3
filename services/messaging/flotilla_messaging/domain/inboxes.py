"""Inboxes: where conversations arrive, when somebody is there, and what the AI may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final
from uuid import UUID

from flotilla.events import messaging as events

DRAFT: Final = "draft"


@dataclass(frozen=True, kw_only=True)
class Inbox:
    """An inbox of an organization."""

    id: UUID
    sequence: int = 1
    name: str
    channels: list[str] = field(default_factory=list)
    """Accounts of these belong to it where nobody says otherwise; none: of every channel."""
    time_zone: str = "UTC"
    hours: list[events.Hours] = field(default_factory=list)
    """None: always."""
    ai_mode: str = DRAFT
    is_default: bool = False

    def revised(self, wanted: Mapping[str, Any]) -> "Inbox":
        """With the wanted values."""
        return replace(self, **wanted)

    def created(self) -> events.InboxCreated:
        """Tells that it came to be."""
        return events.InboxCreated(**self._told())

    def updated(self, before: "Inbox") -> events.InboxUpdated:
        """Tells what changed."""
        old, new = before._told(), self._told()
        changed = {name: [old[name], new[name]] for name in new if old[name] != new[name]}
        return events.InboxUpdated(**new, changed=changed)

    def _told(self) -> dict[str, Any]:
        beside = {"id": "inbox_id", "is_default": "default"}
        names = (each.name for each in fields(self) if each.name != "sequence")
        return {beside.get(name, name): getattr(self, name) for name in names}

"""Two contacts that are one person: what the one that stays looks like, and what an undo gives back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from flotilla_crm.domain.contacts import Contact
from flotilla_crm.domain.revision import Changed

CHOOSABLE: Final = ("name", "email", "phone", "language", "company_id", "owner_id")
"""Fields of which only one value can stay."""
_IDS: Final = ("company_id", "owner_id")


@dataclass(frozen=True, kw_only=True)
class Merge:
    """A contact that became part of another."""

    id: UUID
    sequence: int = 1
    winner_id: UUID
    loser_id: UUID
    loser: dict[str, Any]
    """What the contact that went was, as JSON."""
    changed: Changed
    """What it changed in the one that stayed."""
    actor: str | None
    merged_at: datetime
    undone_at: datetime | None = None


def combined(winner: Contact, loser: Contact, take: Collection[str]) -> dict[str, Any]:
    """The values that the winner shall have: its own, but the loser's where it has none or `take` names them.

    Tags and custom fields of both are kept; of a custom field that both have, the winner's.
    """
    values = {
        field: getattr(loser, field)
        for field in CHOOSABLE
        if getattr(loser, field) is not None and (field in take or getattr(winner, field) is None)
    }
    tags = sorted({*winner.tags, *loser.tags})
    return {**values, "tags": tags, "custom_fields": {**loser.custom_fields, **winner.custom_fields}}


def given_back(winner: Contact, changed: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the winner shall have once the merge is undone: what somebody changed since then stays."""
    values: dict[str, Any] = {}
    for field in CHOOSABLE:
        if field in changed:
            old, new = (_stored(field, value) for value in changed[field])
            if getattr(winner, field) == new:
                values[field] = old
    if "tags" in changed:
        old, new = changed["tags"]
        values["tags"] = [tag for tag in winner.tags if tag in old or tag not in new]
    if "custom_fields" in changed:
        old, new = changed["custom_fields"]
        values["custom_fields"] = {
            key: value
            for key, value in winner.custom_fields.items()
            if key in old or key not in new or value != new[key]
        }
    return values


def snapshot(contact: Contact) -> dict[str, Any]:
    """A contact as JSON keeps it."""
    kept: dict[str, Any] = msgspec.to_builtins(contact)
    return kept


def restored(kept: Mapping[str, Any]) -> Contact:
    """The contact of a snapshot."""
    return msgspec.convert(kept, Contact)


def as_json(changed: Changed) -> Changed:
    """What changed, as JSON keeps it."""
    kept: Changed = msgspec.to_builtins(changed)
    return kept


def _stored(field: str, value: Any) -> Any:
    return UUID(value) if field in _IDS and value is not None else value

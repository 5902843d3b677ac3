"""What a line of an audit file shows, beside the text that was hashed as the event was archived.

Personal fields are sealed in that text, so of these only the signature speaks; all else must agree.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

ORGANIZATION, ID, TYPE, SOURCE, SUBJECT, TIME, SEQUENCE = range(7)
CORRELATION: Final = 8
ACTOR: Final = 12
DATA: Final = 14
LENGTH: Final = 17
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def identity_of(sealed: str) -> tuple[UUID, UUID] | None:
    """The event's id and its organization's; None where the text is none of an archived event."""
    columns = _columns(sealed)
    try:
        return (UUID(columns[ID]), UUID(columns[ORGANIZATION])) if columns else None
    except (ValueError, AttributeError, TypeError):
        return None


def differences(sealed: str, shown: Mapping[str, Any]) -> list[str]:
    """Names of what is shown otherwise than it was archived."""
    columns = _columns(sealed)
    said = {
        "id": columns[ID],
        "action": columns[TYPE],
        "source": columns[SOURCE],
        "subject": columns[SUBJECT],
        "sequence": columns[SEQUENCE],
        "correlation_id": columns[CORRELATION],
        "actor": columns[ACTOR],
    }
    found = [name for name, value in said.items() if shown.get(name) != value]
    if not _same_time(columns[TIME], shown.get("time")):
        found.append("time")
    return found + _of_data(columns[DATA], shown.get("data"))


def _of_data(public: Any, shown: Any) -> list[str]:
    """Fields of the data that stood in the clear."""
    if public is None:
        return []
    if not isinstance(shown, Mapping):
        return ["data"]
    differ = [name for name, value in public.items() if not _fits(name, value, shown.get(name))]
    return [f"data.{name}" for name in differ]


def _fits(name: str, archived: Any, shown: Any) -> bool:
    """Whether it is the same; nothing, and in `changed` a pair of it, stands for what is personal."""
    if name == "changed" and isinstance(archived, Mapping) and isinstance(shown, Mapping):
        return archived.keys() == shown.keys() and all(
            value in ([None, None], shown[field]) for field, value in archived.items()
        )
    return archived is None or bool(archived == shown)


def _same_time(microseconds: Any, shown: Any) -> bool:
    try:
        return datetime.fromisoformat(shown) == _EPOCH + timedelta(microseconds=microseconds)
    except (ValueError, TypeError, OverflowError):
        return False


def _columns(sealed: str) -> list[Any]:
    try:
        columns = json.loads(sealed)
    except (ValueError, RecursionError):
        return []
    return columns if isinstance(columns, list) and len(columns) == LENGTH else []

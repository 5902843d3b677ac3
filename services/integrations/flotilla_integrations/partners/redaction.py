"""Leaving out what says something of a person; the event still keeps its contract."""

from functools import cache
from typing import Any, Final

import msgspec

from flotilla_integrations.partners.offer import offered

UNKNOWN: Final = (None, None)
"""In `changed`: that it did, but neither from what nor to what."""


@cache
def personal_fields(type_: str) -> tuple[str, ...]:
    """The fields of a type's `data` that are personal; they may be null in every version."""
    return offered()[type_].personal_fields


def redacted(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its personal fields null, and with their changes told without values."""
    personal = personal_fields(event["type"])
    if not personal:
        return event
    data = dict(event["data"])
    data |= {name: None for name in personal if name in data}
    if changed := data.get("changed"):
        data["changed"] = {
            name: list(UNKNOWN) if name in personal else values for name, values in changed.items()
        }
    return {**event, "data": data}


def redact(body: bytes) -> bytes:
    """The same of an event in structured JSON."""
    event = msgspec.json.decode(body)
    return msgspec.json.encode(redacted(event)) if personal_fields(event["type"]) else body

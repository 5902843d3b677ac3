"""Leaving out of events what says something of a person; an event without it still keeps its contract."""

from functools import cache
from typing import Any, Final

import msgspec

from flotilla.bus.envelope import Received
from flotilla.events.base import CONTRACTS, Event, contract_of

UNKNOWN: Final = [None, None]
"""In `changed`: that it did, but neither from what nor to what."""


@cache
def personal_fields(type_: str) -> frozenset[str]:
    """The personal fields of a type; none of one that is not known."""
    contract = CONTRACTS.get(type_)
    return frozenset(contract.personal_fields) if contract else frozenset()


def without_personal(event: Received[Event]) -> Received[Event]:
    """The event with its personal fields null, in its envelope too."""
    personal = personal_fields(contract_of(type(event.data)).type)
    if not personal:
        return event
    changed = {name: UNKNOWN if name in personal else pair for name, pair in event.data.changed.items()}
    data = msgspec.structs.replace(event.data, **dict.fromkeys(personal), changed=changed)
    raw = msgspec.Raw(msgspec.json.encode(data))
    return Received(msgspec.structs.replace(event.envelope, data=raw), data, event.cause)


def body_without_personal(body: bytes) -> bytes | None:
    """The same of an event in structured JSON; None for what is no event of ours."""
    try:
        event: Any = msgspec.json.decode(body)
        personal = personal_fields(event["type"])
        data = dict(event["data"])
        known = event["type"] in CONTRACTS
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        return None
    if not known:
        return None
    data |= {name: None for name in personal if name in data}
    if changed := data.get("changed"):
        data["changed"] = {name: UNKNOWN if name in personal else pair for name, pair in changed.items()}
    return msgspec.json.encode({**event, "data": data})

"""Old and new values: as an event says them, or as the state before it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec
from flotilla.events.base import CONTRACTS, Event

CHANGED: Final = "changed"
REQUEST: Final = "request.performed.v1"


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an entity."""

    field: str
    old: Any
    new: Any
    derived: bool
    """Whether the event does not say so itself: its state is another one than that of the event before."""


def told(data: Mapping[str, Any]) -> list[Change]:
    """What the event says itself, in the order of its fields."""
    changed = data.get(CHANGED)
    if not isinstance(changed, Mapping):
        return []
    pairs = ((name, pair) for name, pair in changed.items() if isinstance(pair, list) and len(pair) == 2)
    return [Change(name, pair[0], pair[1], derived=False) for name, pair in pairs]


def sent(data: Mapping[str, Any], before: Mapping[str, Any]) -> list[Change]:
    """What a request changed that no other event tells of.

    As it says itself; else what it sent, beside what was sent before, fields alike left out.
    """
    if isinstance(said := data.get("old_and_new"), Mapping):
        return told({CHANGED: said})
    values = data.get("values")
    if not isinstance(values, Mapping):
        return []
    return [
        Change(name, before.get(name), value, derived=True)
        for name, value in values.items()
        if name not in before or before[name] != value
    ]


def derived(type_: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """How two states of one entity differ; `type_` is the later one's."""
    names = (name for name in state_fields(type_) if name in before and name in now)
    return [
        Change(name, before[name], now[name], derived=True) for name in names if before[name] != now[name]
    ]


@cache
def relatives(type_: str) -> tuple[str, ...]:
    """Types that hold the same entity's state, this one among them: those made of one class of states."""
    contract = CONTRACTS.get(type_)
    if contract is None:
        return ()
    state = _state(contract.data)
    return tuple(name for name, other in CONTRACTS.items() if issubclass(other.data, state))


@cache
def state_fields(type_: str) -> tuple[str, ...]:
    """The fields of the state that the type shares with its relatives."""
    contract = CONTRACTS.get(type_)
    if contract is None:
        return ()
    fields = (field.encode_name for field in msgspec.structs.fields(_state(contract.data)))
    return tuple(name for name in fields if name != CHANGED)


def _state(data: type[Event]) -> type[Event]:
    """The class just below `Event`: `User` of `UserUpdated`."""
    lineage = data.__mro__
    found: type[Event] = lineage[lineage.index(Event) - 1]
    return found

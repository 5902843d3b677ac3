"""What of an event is personal, apart from what is not: the first is sealed, the second can be queried.

A field is kept in the clear only where this version's contract knows it and does not mark it personal; a
field that a newer contract added is sealed until this one knows it. What cannot be read at all, or is of an
unknown type, is sealed whole.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec
from flotilla.events.base import CONTRACTS

from flotilla_analytics.domain.persons import ORGANIZATION, person_of

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)

_NUL: Final = b"\\u0000"
"""Postgres keeps no NUL in jsonb."""


@dataclass(frozen=True, slots=True)
class Parts:
    """An event's `data`, divided."""

    fields: dict[str, Any] | None
    """As it was read; None where it could not be."""
    public: bytes | None
    """JSON to be stored in the clear; None where the event is sealed whole."""
    personal: bytes | None
    """What has to be sealed: an `Overlay`, or all of the data."""
    person: str
    """Whose key seals it."""


class Overlay(msgspec.Struct, frozen=True, omit_defaults=True):
    """The personal part of an event, laid over its public part when it is opened."""

    fields: dict[str, Any] = {}
    changed: dict[str, Any] = {}


_decode_overlay = msgspec.json.Decoder(Overlay).decode


def divide(type_: str, data: bytes) -> Parts:
    """Divide an event's data; never fails, whatever the bytes are."""
    contract = CONTRACTS.get(type_)
    try:
        fields = _decode(data)
    except _UNREADABLE:
        return Parts(None, None, data, ORGANIZATION)
    if not isinstance(fields, dict):
        return Parts(None, None, data, ORGANIZATION)
    person = person_of(contract, fields)
    if contract is None:
        return Parts(fields, None, data, person)
    public, overlay = _divide_fields(_public_fields(type_), fields)
    encoded = _encode(public)
    if _NUL in encoded:
        return Parts(fields, None, data, person)
    return Parts(fields, encoded, _encode(overlay) if overlay.fields or overlay.changed else None, person)


def unite(public: dict[str, Any] | None, personal: bytes | None) -> dict[str, Any]:
    """An event's data from its parts; personal fields are null where `personal` is not to be had."""
    if public is None:
        return _whole(personal)
    if personal is None:
        return public
    overlay = _decode_overlay(personal)
    united = {**public, **overlay.fields}
    if overlay.changed:
        united["changed"] = {**public.get("changed", {}), **overlay.changed}
    return united


def _divide_fields(known: frozenset[str], fields: dict[str, Any]) -> tuple[dict[str, Any], Overlay]:
    public: dict[str, Any] = {}
    personal: dict[str, Any] = {}
    for name, value in fields.items():
        if name in known:
            public[name] = value
        else:
            public[name] = None
            if value is not None:
                personal[name] = value
    changed = public.get("changed")
    if not changed:
        return public, Overlay(personal)
    if not isinstance(changed, dict):
        public["changed"] = {}
        return public, Overlay(personal | {"changed": changed})
    hidden = {name: value for name, value in changed.items() if name not in known}
    if hidden:
        public["changed"] = {
            name: [None, None] if name in hidden else value for name, value in changed.items()
        }
    return public, Overlay(personal, hidden)


def _whole(personal: bytes | None) -> dict[str, Any]:
    if personal is None:
        return {}
    try:
        fields = _decode(personal)
    except _UNREADABLE:
        return {"unreadable": personal.decode(errors="replace")}
    return fields if isinstance(fields, dict) else {"unreadable": fields}


@cache
def _public_fields(type_: str) -> frozenset[str]:
    """The names of the fields that may stand in the clear."""
    contract = CONTRACTS[type_]
    known = {field.encode_name for field in msgspec.structs.fields(contract.data)}
    return frozenset(known.difference(contract.personal_fields))

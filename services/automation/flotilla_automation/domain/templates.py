"""Texts with places for fields of the event: `Call {{ data.sender.name | the customer }}`.

A place names one field of the contract and, after a bar, what stands there where the field is empty. Nothing else
is understood: no calls, no attributes, no expressions.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

from flotilla_automation.domain.fields import Field, Kind, Occurrence

PLACE: Final = re.compile(r"\{\{\s*([a-z_][a-z0-9_.]*)\s*(?:\|([^{}|]*))?\}\}")
WRITABLE: Final = frozenset({Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.MOMENT, Kind.DATE, Kind.ID})


def mistakes_in(template: str, fields: Mapping[str, Field]) -> Iterator[str]:
    """What is wrong with a template over these fields."""
    for place in PLACE.finditer(template):
        found = fields.get(place[1])
        if found is None or found.of_change:
            yield f"the event has no field {place[1]} to write"
        elif found.kind not in WRITABLE:
            yield f"{place[1]} is a {found.kind}; only single values can be written"
    rest = PLACE.sub("", template)
    if "{{" in rest or "}}" in rest:
        yield "a place is written {{ data.field }} or {{ data.field | words where it is empty }}"


def render(template: str, event: Occurrence, *, limit: int) -> str:
    """The text, cut to `limit` characters; an empty field leaves its words, or nothing."""
    text = PLACE.sub(lambda place: _written(event.value(place[1]), (place[2] or "").strip()), template)
    return text.replace("\x00", "")[:limit]


def only_place(template: str) -> str | None:
    """The field of a template that is one place and nothing else."""
    place = PLACE.fullmatch(template.strip())
    return place[1] if place is not None and place[2] is None else None


def _written(value: Any, otherwise: str) -> str:
    if value is None or value == "":
        return otherwise
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if isinstance(value, datetime | date) else str(value)

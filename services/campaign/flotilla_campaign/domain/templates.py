"""Texts with places for a person's fields: `Hello {{ name | there }}`.

After the bar stands what is written where the field is empty. Nothing else is understood: no calls, no expressions.
"""

import re
from collections.abc import Mapping
from typing import Final

PLACE: Final = re.compile(r"\{\{\s*([a-z_][a-z0-9_]*)\s*(?:\|([^{}|]*))?\}\}")
LIMIT: Final = 4000
"""Characters of a message; channels with a smaller limit refuse a longer one."""


def is_sound(template: str) -> bool:
    """Whether every brace belongs to a place."""
    rest = PLACE.sub("", template)
    return "{{" not in rest and "}}" not in rest


def render(template: str, fields: Mapping[str, str]) -> str:
    """The text, as it is sent."""
    text = PLACE.sub(lambda place: fields.get(place[1]) or (place[2] or "").strip(), template)
    return text.replace("\x00", "")[:LIMIT].strip()

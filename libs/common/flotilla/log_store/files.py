"""Log files read onwards from where the last reading ended, whichever process and whichever name it had.

A file is known by its first line, which holds a moment to the microsecond: neither its name, which a rotation changes,
nor its inode, which a new file may inherit. So a line's place is (file, offset) for good, and with it its id.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

MOST_BYTES: Final = 512 * 1024
"""Read at once; a longer line is cut."""
_FIRST_LINE: Final = 4096
_BIRTH_CHARACTERS: Final = 16


class Position(msgspec.Struct, frozen=True):
    """How far a file was read."""

    offset: int = 0
    ts: str = ""
    """The time of the last line that had one: that of those after it that have none. Before any: when it was read."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and its place."""

    id: str
    service: str
    fields: dict[str, Any]
    """As the service wrote them; what is no JSON stands in `text`."""
    position: Position
    """Behind it."""
    birth: str


def births(files: dict[str, list[Path]]) -> dict[str, tuple[str, Path]]:
    """The services' files that have a whole line, by what each is known by: (service, path), older ones in front."""
    found: dict[str, tuple[str, Path]] = {}
    for service, paths in files.items():
        for path in paths:
            try:
                with path.open("rb") as file:
                    first = file.readline(_FIRST_LINE)
            except FileNotFoundError:  # rotated away this moment: it is found under its new name next time
                continue
            if first.endswith(b"\n") or len(first) == _FIRST_LINE:
                birth = hashlib.sha256(f"{service}\0".encode() + first).hexdigest()[:_BIRTH_CHARACTERS]
                found[birth] = (service, path)
    return found


def lines(birth: str, service: str, path: Path, position: Position) -> Iterator[Line]:
    """Whole lines from there on, at most `MOST_BYTES` of them."""
    try:
        with path.open("rb") as file:
            file.seek(position.offset)
            content = file.read(MOST_BYTES)
    except FileNotFoundError:
        return
    is_full = len(content) == MOST_BYTES
    begun = content.lstrip(b"\r\n")
    whole = begun[: begun.rfind(b"\n") + 1] or (begun if is_full else b"")
    offset, ts = position.offset + len(content) - len(begun), position.ts
    for raw in whole.splitlines(keepends=True):
        fields = _parsed(raw)
        ts = _time(fields.get("ts")) or ts or datetime.now(UTC).isoformat()
        place = f"{birth}-{offset}"
        offset += len(raw)
        if raw.strip():
            told = {"service": service, **fields, "ts": ts}
            yield Line(place, service, told, Position(offset, ts), birth)


def _time(said: Any) -> str | None:
    """A time as logs have it (RFC 3339); None for what is none."""
    try:
        return said if isinstance(said, str) and datetime.fromisoformat(said) else None
    except ValueError:
        return None


def _parsed(raw: bytes) -> dict[str, Any]:
    text = raw.decode(errors="replace").rstrip()
    try:
        found = json.loads(text, parse_constant=_refused) if text.startswith("{") else None
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"text": text}


def _refused(constant: str) -> None:
    """NaN and the like are no JSON (RFC 8259), though Python reads them."""
    raise ValueError(constant)

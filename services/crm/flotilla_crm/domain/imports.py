"""Imports of contacts: what a file's columns mean, and what its rows say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from flotilla.events.crm import ImportFinished, ImportProgressed

from flotilla_crm.domain import csv_files, normal
from flotilla_crm.domain.people import Reach

MAX_PARTS: Final = 512
MAX_PART: Final = 1024 * 1024
"""Bytes: what the gateway lets through at once."""
MAX_ROWS: Final = 1_000_000
MAX_COLUMNS: Final = 200
MAX_KEPT_ERRORS: Final = 10_000
SAMPLE: Final = 64 * 1024
MAX_CELL: Final = 2000
OnMatch = Literal["fill", "skip"]
_KNOWN: Final[Mapping[str, str]] = {
    **dict.fromkeys(("name", "full name", "contact", "contact name", "имя и фамилия", "фио", "піб"), "name"),
    **dict.fromkeys(
        ("first name", "firstname", "given name", "vorname", "prenom", "имя", "ім'я"), "first_name"
    ),
    **dict.fromkeys(
        ("last name", "lastname", "surname", "family name", "nachname", "nom", "фамилия", "прізвище"),
        "last_name",
    ),
    **dict.fromkeys(
        ("email", "e-mail", "mail", "email address", "e-mail-adresse", "почта", "пошта"), "email"
    ),
    **dict.fromkeys(("phone", "telephone", "tel", "mobile", "phone number", "telefon", "телефон"), "phone"),
    **dict.fromkeys(("language", "lang", "sprache", "langue", "язык", "мова"), "language"),
    **dict.fromkeys(("tags", "tag", "labels", "теги"), "tags"),
}
TARGET: Final = re.compile(
    r"name|first_name|last_name|email|phone|language|tags|custom\.[a-z][a-z0-9_]{0,63}"
)
"""What a column may mean."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a file is read."""

    encoding: str
    delimiter: str
    header: bool
    columns: list[str | None]
    """What each column means; None: nothing."""
    on_match: OnMatch = "fill"
    """What becomes of a contact that is there: empty fields are filled, or it stays as it is."""


@dataclass(frozen=True, kw_only=True)
class Import:
    """A file of contacts, and how far it was read."""

    id: UUID
    sequence: int
    name: str
    state: str
    dry_run: bool
    plan: dict[str, Any] | None
    position: int
    rows_read: int
    created: int
    updated: int
    failed: int
    reason: str | None
    started_by: UUID
    created_at: datetime
    updated_at: datetime

    def progressed(self) -> ImportProgressed:
        """Tells how far it is."""
        return ImportProgressed(**self._state())

    def finished(self) -> ImportFinished:
        """Tells that it came to its end."""
        return ImportFinished(**self._state(), reason=self.reason)

    def _state(self) -> dict[str, Any]:
        names = ("state", "dry_run", "rows_read", "created", "updated", "failed")
        return {"import_id": self.id, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a row does not fit. `row`: as a spreadsheet counts, from 1."""

    row: int
    field: str | None
    detail: str


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A row that fits."""

    org: UUID
    row: int
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    tags: list[str] = field(default_factory=list)
    custom_fields: dict[str, Any] = field(default_factory=dict)

    @property
    def reaches(self) -> list[Reach]:
        """By what it may be somebody who is there."""
        by_email = [Reach(self.org, email=self.email)] if self.email else []
        return by_email + ([Reach(self.org, phone=self.phone)] if self.phone else [])


def propose(sample: bytes, *, whole: bool) -> tuple[Plan, list[list[str]]]:
    """How a file seems to be written, what its columns seem to mean, and its first rows."""
    encoding = csv_files.encoding_of(sample)
    body = sample[csv_files.mark_length(sample) :]
    delimiter = csv_files.delimiter_of(body.decode(encoding, "replace"))
    piece = csv_files.read_piece(body, last=whole, encoding=encoding, delimiter=delimiter, limit=20)
    rows = [row for row in piece.rows if row]
    first = [normal.folded(cell.replace("_", " ")) for cell in rows[0]] if rows else []
    header = any(cell in _KNOWN for cell in first)
    columns = _by_header(first) if header else _by_content(rows)
    plan = Plan(encoding=encoding, delimiter=delimiter, header=header, columns=columns[:MAX_COLUMNS])
    return plan, rows


def draft_of(org: UUID, row: int, cells: Sequence[str], plan: Plan) -> Draft | list[Mistake]:
    """What a row says, in normal form, or everything that is wrong with it."""
    values: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for target, cell in zip(plan.columns, cells, strict=False):
        if target is None or not (text := cell.strip()):
            continue
        try:
            if target.startswith("custom."):
                custom[target.removeprefix("custom.")] = _plain(text)
            else:
                values[target] = _READ[target](_plain(text))
        except ValueError as error:
            mistakes.append(Mistake(row, target, str(error)))
    parts = [values.pop(part, None) for part in ("first_name", "last_name")]
    if "name" not in values and any(parts):
        values["name"] = " ".join(part for part in parts if part)[: normal.MAX_NAME]
    if not mistakes and not {"name", "email", "phone"} & set(values):
        mistakes.append(Mistake(row, None, "There is no name, e-mail address or phone number."))
    return mistakes or Draft(org=org, row=row, **values, custom_fields=custom)


def _plain(text: str) -> str:
    if "\ufffd" in text:
        raise ValueError("Some of it cannot be read in the file's encoding.")
    if len(text) > MAX_CELL:
        raise ValueError(f"At most {MAX_CELL} characters.")
    return normal.text(text, limit=MAX_CELL * 4)


def _tags(text: str) -> list[str]:
    tags = {tag.strip() for tag in re.split(r"[,;|]", text) if tag.strip()}
    if len(tags) > 50 or any(len(tag) > 50 or "\n" in tag for tag in tags):
        raise ValueError("At most 50 tags of at most 50 characters.")
    return sorted(tags)


_READ: Final[Mapping[str, Any]] = {
    "name": normal.name,
    "first_name": normal.name,
    "last_name": normal.name,
    "email": normal.email,
    "phone": normal.phone,
    "language": normal.language,
    "tags": _tags,
}


def _by_header(first: Sequence[str]) -> list[str | None]:
    columns: list[str | None] = []
    for cell in first:
        target = _KNOWN.get(cell)
        columns.append(target if target not in columns else None)
    return columns


def _by_content(rows: Sequence[Sequence[str]]) -> list[str | None]:
    """Most cells of a column read as e-mail addresses, or as phone numbers."""
    columns: list[str | None] = [None] * max((len(row) for row in rows), default=0)
    for target in ("email", "phone"):
        for place in range(len(columns)):
            cells = [row[place] for row in rows if len(row) > place and row[place].strip()]
            fitting = sum(_fits(target, cell) for cell in cells)
            if columns[place] is None and cells and fitting * 2 > len(cells):
                columns[place] = target
                break
    return columns


def _fits(target: str, cell: str) -> bool:
    try:
        _READ[target](cell)
    except ValueError:
        return False
    return True

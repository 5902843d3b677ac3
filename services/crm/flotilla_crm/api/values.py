"""Values as callers write them, parsed at the edge; what does not fit is a problem that points at it."""

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from flotilla.http import UnprocessableError
from flotilla.store.postgres import Row, Transaction
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from flotilla_crm.domain import normal
from flotilla_crm.store import contacts as store

MAX_FIELDS: Final = 100
MAX_NOTE_BYTES: Final = 8 * 1024
FIRST_ID: Final = UUID(int=0)


def _normal(normalise: Callable[[str], str]) -> AfterValidator:
    def check(value: str) -> str:
        try:
            return normalise(value)
        except ValueError as error:
            # A custom error: its words reach the caller as they are, braces escaped for pydantic's formatting.
            words = str(error).replace("{", "{{").replace("}", "}}")
            raise PydanticCustomError("not_normal", words) from None

    return AfterValidator(check)


def _one_line(limit: int) -> Callable[[str], str]:
    def check(value: str) -> str:
        line = normal.text(value, limit=limit)
        if "\n" in line or "\r" in line:
            raise ValueError("Write it on one line.")
        return line

    return check


def _distinct(tags: list[str]) -> list[str]:
    return sorted(set(tags))


def _fields(value: Any) -> Any:
    """Refused early: what JSON allows and jsonb does not (NUL), and numbers that are none."""
    if isinstance(value, dict):
        for part in (*value.keys(), *value.values()):
            if isinstance(part, str) and any(
                unicodedata.category(sign) == "Cc" for sign in part if sign not in "\n\t"
            ):
                raise PydanticCustomError("control_character", "Leave out control characters.")
    return value


Name = Annotated[str, Field(max_length=1000), _normal(normal.name)]
Email = Annotated[str, Field(max_length=320), _normal(normal.email)]
Phone = Annotated[str, Field(max_length=50), _normal(normal.phone)]
Domain = Annotated[str, Field(max_length=300), _normal(normal.domain)]
Language = Annotated[str, Field(max_length=35), _normal(normal.language)]
Tag = Annotated[str, Field(max_length=50), _normal(_one_line(200))]
Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(_distinct)]
Title = Annotated[str, Field(max_length=500), _normal(_one_line(2000))]
NoteText = Annotated[
    str, Field(max_length=MAX_NOTE_BYTES), _normal(lambda text: normal.text(text, limit=MAX_NOTE_BYTES))
]
Sought = Annotated[str, Field(max_length=100), _normal(_one_line(400))]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
"""What every program that reads JSON takes for the same number."""
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))
]
FieldName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
CustomFields = Annotated[
    dict[FieldName, Annotated[str, Field(max_length=2000)] | bool | Whole | float | None],
    Field(max_length=MAX_FIELDS),
    BeforeValidator(_fields),
]


async def check_known(tx: Transaction, org: UUID, given: dict[str, UUID | None]) -> None:
    """A 422 problem that points at each id that names nothing here. `given`: field → id."""
    person = next((field for field in ("owner_id", "assignee_id") if field in given), "owner_id")
    if not any(given.values()):
        return
    found: Row = await store.known(
        tx, org, person=given.get(person), company=given.get("company_id"), contact=given.get("contact_id")
    )
    words = {
        person: ("person", "Nobody with this id works here with a role that takes work."),
        "company_id": ("company", "There is no company with this id."),
        "contact_id": ("contact", "There is no contact with this id."),
    }
    errors = [
        {"pointer": f"/{field}", "detail": detail}
        for field, (column, detail) in words.items()
        if not found[column]
    ]
    if errors:
        raise UnprocessableError("Correct the ids named in `errors`.", errors=errors)

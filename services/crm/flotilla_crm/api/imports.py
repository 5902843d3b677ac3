"""/v1/imports: contacts from CSV files."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    Work,
    note_change,
)
from flotilla.http.bodies import Shown, Written, raw_body
from flotilla.http.sorting import ByTime, Sort
from flotilla.problems import TooLargeError
from flotilla.store.order import BY_TIME, Integer, Order, both
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime, Field

from flotilla_crm import importing
from flotilla_crm.api.values import Name
from flotilla_crm.domain import csv_files
from flotilla_crm.domain.imports import (
    MAX_COLUMNS,
    MAX_PART,
    MAX_PARTS,
    MAX_ROWS,
    SAMPLE,
    TARGET,
    Import,
    OnMatch,
    Plan,
    propose,
)
from flotilla_crm.store import imports as store

imports = Routes("/v1/imports", tag="imports")
ERRORS = both(
    "row",
    Order(("row_number", "place"), (Integer, Integer), key=lambda row: (row["row_number"], row["place"])),
)
Encoding = Literal[csv_files.ENCODINGS]  # type: ignore[valid-type]
Target = Annotated[str, Field(max_length=80, pattern=f"^({TARGET.pattern})$")]
KNOWN_BY = {"name", "first_name", "last_name", "email", "phone"}


class ImportIn(Written):
    """A new import."""

    name: Name = Field(examples=["customers.csv"])


class RunIn(Written):
    """How the file is to be read; what is left out is as proposed."""

    dry_run: bool = Field(default=True, description="Read all of it, say what would happen, write nothing.")
    encoding: Encoding | None = None
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    header: bool | None = Field(default=None, description="The first row names the columns.")
    columns: Annotated[list[Target | None], Field(max_length=MAX_COLUMNS)] | None = Field(
        default=None, description="What each column means, `custom.<name>` too; null: nothing."
    )
    on_match: OnMatch = Field(
        default="fill", description="Where the contact is there: fill its empty fields, or leave it."
    )


class ImportOut(Shown):
    """An import, and how far it is."""

    id: UUID
    name: str
    state: Literal["uploading", "running", "checked", "done", "failed"]
    dry_run: bool
    plan: dict[str, Any] | None
    rows_read: int
    created: int
    updated: int
    failed: int = Field(description="Rows that do not fit.")
    reason: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class PartsOut(Shown):
    """What of the file is there."""

    parts: int
    bytes: int


class ProposalOut(Shown):
    """How the file seems to be written, and what its columns seem to mean."""

    encoding: str
    delimiter: str
    header: bool
    columns: list[str | None]
    rows: list[list[str]] = Field(description="The first rows.")


class RowErrorOut(Shown):
    """Why a row does not fit."""

    row: int = Field(description="As a spreadsheet counts, from 1.")
    field: str | None
    detail: str


@imports.get("", permission="contacts:read")
async def list_imports(tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at") -> Page[ImportOut]:
    """The newest first."""
    order = BY_TIME[sort]
    found = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([ImportOut.model_validate(each) for each in found], sort, order)


@imports.post("", permission="contacts:write", status_code=201)
async def create_import(body: ImportIn, tx: Tx, who: Who, response: Response) -> ImportOut:
    """Begin an import: then come the parts of its file, and a run."""
    made = await store.add(tx, who.org, tx.app.new_id(), body.name, who.user_id)
    response.headers["Location"] = f"/v1/imports/{made.id}"
    return ImportOut.model_validate(made)


@imports.get("/{import_id}", permission="contacts:read")
async def read_import(import_id: UUID, tx: Tx, who: Who) -> ImportOut:
    """One import."""
    return ImportOut.model_validate(await _there(tx, who.org, import_id))


@imports.delete("/{import_id}", permission="contacts:write", status_code=204)
async def delete_import(import_id: UUID, tx: Tx, who: Who) -> None:
    """Stop it, and remove its file and its errors; contacts that it made stay."""
    note_change(ImportOut.model_validate(await _there(tx, who.org, import_id, lock=True)), None)
    await store.delete(tx, who.org, import_id)


@imports.put("/{import_id}/parts", permission="contacts:write", sent=raw_body(), audited="nothing")
async def upload_import_part(
    import_id: UUID, number: Annotated[int, Query(ge=1, le=MAX_PARTS)], request: Request, work: Work
) -> PartsOut:
    """A part of the file as it is, cut anywhere: at most 1 MiB, 512 of them, numbered from 1.

    A part that is sent again takes the place of the earlier one.
    """
    body = await _received(request)
    tx = await work.begin(body)
    found = await _there(tx, work.who.org, import_id, lock=True)
    _check_idle(found)
    if not body:
        raise UnprocessableError("The part is empty.")
    kept = await store.put_part(tx, work.who.org, import_id, number, body)
    return PartsOut(parts=kept["parts"], bytes=kept["bytes"])


@imports.get("/{import_id}/proposal", permission="contacts:read")
async def propose_import(import_id: UUID, tx: Tx, who: Who) -> ProposalOut:
    """How to read the file, by its beginning: encoding, delimiter, header and columns."""
    await _there(tx, who.org, import_id)
    plan, rows = _proposed(await store.read_bytes(tx, who.org, import_id, 0, SAMPLE))
    shown = [row[:MAX_COLUMNS] for row in rows]
    return ProposalOut(
        encoding=plan.encoding,
        delimiter=plan.delimiter,
        header=plan.header,
        columns=plan.columns,
        rows=shown,
    )


@imports.post("/{import_id}/runs", permission="contacts:write", status_code=202)
async def run_import(import_id: UUID, body: RunIn, tx: Tx, who: Who) -> ImportOut:
    """Read the file from its beginning, in the background; `import.progressed.v1` tells how far it is.

    A file may have a million rows. Its bytes are kept until an import is done or deleted.
    """
    found = await _there(tx, who.org, import_id, lock=True)
    _check_idle(found)
    kept = await store.parts(tx, who.org, import_id)
    if kept["parts"] != kept["last"]:
        raise ConflictError(f"Parts are missing: there are {kept['parts']}, the last is {kept['last']}.")
    head = await store.read_bytes(tx, who.org, import_id, 0, SAMPLE)
    proposed, _ = _proposed(head)
    wanted = {name: value for name, value in body.model_dump().items() if value is not None}
    dry_run = wanted.pop("dry_run")
    plan = Plan(**{name: wanted.get(name, getattr(proposed, name)) for name in Plan.__dataclass_fields__})
    _check_columns(plan.columns)
    begun = await importing.start(tx, who.org, found, plan, dry_run=dry_run, head=head)
    return ImportOut.model_validate(begun)


@imports.get("/{import_id}/errors", permission="contacts:read")
async def list_import_errors(
    import_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: Sort[Literal["row", "-row"]] = "row"
) -> Page[RowErrorOut]:
    """Why rows do not fit, in their order; some more than the first 10,000."""
    await _there(tx, who.org, import_id)
    order = ERRORS[sort]
    found = await store.errors(tx, who.org, import_id, order, query.place(sort, order), query.limit + 1)
    read = query.page(found, sort, order)
    shown = [
        RowErrorOut(row=each["row_number"], field=each["field"], detail=each["detail"]) for each in read.items
    ]
    return Page(items=shown, next_cursor=read.next_cursor)


async def _received(request: Request) -> bytes:
    """The body, as it comes; a 413 problem as soon as it is too long. No transaction waits for it."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_PART:
            raise TooLargeError(f"A part has at most {MAX_PART} bytes: send the file in several.")
    return bytes(body)


async def _there(tx: Transaction, org: UUID, import_id: UUID, *, lock: bool = False) -> Import:
    found = await store.read(tx, org, import_id, lock=lock)
    if found is None:
        raise NotFoundError("There is no import with this id.")
    return found


def _check_idle(found: Import) -> None:
    if found.state in ("running", "done"):
        raise ConflictError(f"The import is {found.state}.")


def _proposed(head: bytes) -> tuple[Plan, list[list[str]]]:
    if not head:
        raise ConflictError("The file has not come yet: send its parts.")
    try:
        return propose(head, whole=len(head) < SAMPLE)
    except csv_files.UnreadableError as error:
        raise UnprocessableError(str(error)) from None


def _check_columns(columns: list[str | None]) -> None:
    named = [column for column in columns if column is not None]
    if len(set(named)) < len(named):
        detail = "Each field once."
    elif not KNOWN_BY & set(named):
        detail = "One column at least holds a name, an e-mail address or a phone number."
    else:
        return
    raise UnprocessableError(
        f"Say what the columns mean; a file has at most {MAX_ROWS} rows.",
        errors=[{"pointer": "/columns", "detail": detail}],
    )

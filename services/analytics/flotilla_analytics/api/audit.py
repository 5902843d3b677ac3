"""/v1/audit: who did what, and what was otherwise before; and its download, with the chain's proofs."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from flotilla.events.analytics import AuditExported
from flotilla.http import CurrentApp, Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown, file_answer
from flotilla.http.routes import PEOPLE
from pydantic import AwareDatetime, BaseModel, Field

from flotilla_analytics import audit_export
from flotilla_analytics.api.archive import ByMoment
from flotilla_analytics.auditing import acts
from flotilla_analytics.store import archive, audit_log
from flotilla_analytics.store.audit_log import Wanted

routes = Routes("/v1/audit", tag="audit")

Text = Annotated[str | None, Query(min_length=1, max_length=200)]


class ChangeView(Shown):
    """One field, before and after."""

    field: str
    old: Any
    new: Any
    derived: bool = Field(
        description="Whether the event does not say so itself, and the archive's state before it does."
    )


class ActView(Shown):
    """Something that somebody did, or tried to."""

    id: UUID
    time: datetime
    actor: str | None = Field(
        description="`user:<id>`, `api_key:<id>`, `operator:<name>`, …; null where nobody was signed in.",
        examples=["user:0198c0de-0000-7000-8000-000000000001"],
    )
    action: str = Field(description="The event's type.", examples=["contact.updated.v1"])
    subject: str = Field(description="The id of what it was done to.")
    outcome: Literal["succeeded", "failed"]
    direct: bool = Field(description="Whether a request did it; else it came of something that one did.")
    correlation_id: UUID
    changes: list[ChangeView]
    data: dict[str, Any] = Field(
        description="The state after it. Personal fields are null where the person was erased, or they aged out."
    )
    personal: Literal["none", "shown", "erased", "aged_out"] = Field(
        description="What became of the personal fields: `aged_out` where the organization keeps them no longer."
    )


class KeyView(BaseModel):
    """With which downloads are verified: note it elsewhere, and give it to `flotilla audit verify --key`."""

    algorithm: Literal["Ed25519"] = "Ed25519"
    key: str = Field(description="The public key: 32 bytes, base64.")


async def _wanted(
    actor: Text = None,
    action: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=100,
            description="A type, or what it begins with: `deal`, `deal.updated`.",
        ),
    ] = None,
    subject: Text = None,
    outcome: Annotated[Literal["succeeded", "failed"] | None, Query()] = None,
    field: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=100,
            description="Part of the name of a field that an event says changed.",
        ),
    ] = None,
    from_: Annotated[AwareDatetime | None, Query(alias="from", description="Inclusive.")] = None,
    to: Annotated[AwareDatetime | None, Query(description="Exclusive.")] = None,
) -> Wanted:
    failed = None if outcome is None else outcome == "failed"
    return Wanted(actor, action, subject, failed, field, from_, to)


Filter = Annotated[Wanted, Depends(_wanted)]


@routes.get("", permission="archive:read")
async def list_audit(
    tx: Tx, who: Who, query: PageQuery, wanted: Filter, sort: ByMoment = "-time"
) -> Page[ActView]:
    """What people, programs and operators did, and what bears on security whoever did it, newest first; with `actor`,
    all that came of that one."""
    order = archive.ORDERS[sort]
    after = query.place(sort, order)
    rows = await audit_log.read_page(tx, who.org, wanted, after, query.limit + 1, order)
    views = [ActView.model_validate(act) for act in await acts(tx, who.org, rows)]
    return query.page(views, sort, order)


@routes.get(
    "/export",
    permission="archive:read",
    limit="dear",
    recent=PEOPLE,
    response_class=StreamingResponse,
    responses=file_answer("application/x-ndjson", "text/csv"),
)
async def export_audit(
    tx: Tx,
    who: Who,
    wanted: Filter,
    format_: Annotated[Literal["ndjson", "csv"], Query(alias="format")] = "ndjson",
) -> StreamingResponse:
    """The same as a file: `ndjson` proves itself (docs/audit.md, `flotilla audit verify`), `csv` proves nothing.

    That it was taken stands in the audit log itself.
    """
    told = AuditExported(export_id=tx.app.new_id(), format=format_, filter=wanted.said())
    tx.emit(told, org=who.org, sequence=1)
    make, kind = {
        "ndjson": (audit_export.proven, "application/x-ndjson"),
        "csv": (audit_export.table, "text/csv; charset=utf-8"),
    }[format_]
    headers = {
        "Content-Disposition": f'attachment; filename="audit.{format_}"',
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(make(tx.app, who.org, wanted), media_type=kind, headers=headers)


@routes.get("/key", permission="archive:read")
async def read_audit_key(app: CurrentApp) -> KeyView:
    """The public key of downloads."""
    return KeyView(key=audit_export.signer(app).public)

"""/v1/erasures and /v1/exports: what is known of a person or of the organization, forgotten or brought together."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from fastapi import Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from flotilla.http import (
    ConflictError,
    CurrentApp,
    ForbiddenError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    Work,
    set_etag,
)
from flotilla.http.bodies import file_answer
from flotilla.http.sorting import ByTime
from flotilla.problems import UnprocessableError
from flotilla.store.files import Files
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Transaction
from pydantic import Field, model_validator

from flotilla_auth import privacy_saga
from flotilla_auth.api.fields import Body
from flotilla_auth.api.views import View
from flotilla_auth.signing import public_text
from flotilla_auth.store import organizations, users
from flotilla_auth.store import privacy_requests as store
from flotilla_auth.store.privacy_requests import PrivacyRequest

ERASURE: Final = "erasure"
EXPORT: Final = "export"
OWNER: Final = "owner"
REPORT_LINK: Final = timedelta(days=365)
ARCHIVE_LINK: Final = timedelta(hours=1)

erasures = Routes("/v1/erasures", tag="privacy")
exports = Routes("/v1/exports", tag="privacy")
report_keys = Routes("/v1/report-keys", tag="privacy")

Token = Annotated[str, Field(min_length=20, max_length=100, pattern="^[A-Za-z0-9_-]+$")]


class NewRequest(Body):
    """Whom it is about: a customer, a colleague, or with its address repeated the whole organization."""

    contact_id: UUID | None = None
    user_id: UUID | None = None
    organization_slug: str | None = Field(default=None, max_length=100, description="The organization's own.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = (self.contact_id, self.user_id, self.organization_slug)
        if sum(each is not None for each in named) != 1:
            raise ValueError("name one: contact_id, user_id or organization_slug")
        return self


class AnswerView(View):
    """One service's answer."""

    service: str
    state: Literal["waiting", "completed", "failed"]
    result: dict[str, Any]
    reason: str | None
    answered_at: datetime | None


class RequestView(View):
    """A request, and how far it is."""

    id: UUID
    kind: Literal["person", "organization"]
    contact_id: UUID | None
    user_id: UUID | None
    state: Literal["resolving", "running", "collecting", "done", "failed", "expired"]
    reason: str | None
    attempt: int
    requested_by: str
    requested_at: datetime
    ended_at: datetime | None


class RequestDetail(RequestView):
    """With what each service answered."""

    services: list[AnswerView]


class LinkView(View):
    """Whoever has it may read the outcome until it expires; shown once."""

    url: str
    expires_at: datetime


class NewErasureView(RequestView):
    """Begun; the link leads to the report, also for somebody who can no longer sign in."""

    report_link: LinkView


class ReportKeyView(View):
    """A public key (JWK, RFC 8037) that signed reports."""

    kid: str
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    x: str


@erasures.post("", permission="privacy:write", recent=True, status_code=202)
async def request_erasure(body: NewRequest, tx: Tx, who: Who, work: Work) -> NewErasureView:
    """Have all services forget a person or the organization, for good; 409 where that is under way."""
    begun = await _begin(tx, who, work, body, ERASURE)
    link = await _link(tx, begun, f"/v1/erasures/{begun.id}/report", REPORT_LINK)
    shown = RequestView.model_validate(begun).model_dump()
    return NewErasureView(**shown, report_link=link)


@exports.post("", permission="privacy:write", limit="dear", recent=True, status_code=202)
async def request_export(body: NewRequest, tx: Tx, who: Who, work: Work) -> RequestView:
    """Have all services bring together what they know; 409 where that is under way."""
    return RequestView.model_validate(await _begin(tx, who, work, body, EXPORT))


@erasures.get("", permission="privacy:read")
async def list_erasures(
    tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[RequestView]:
    """The newest first, or as `sort` says."""
    return await _page(tx, who.org, query, sort, ERASURE)


@exports.get("", permission="privacy:read")
async def list_exports(tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at") -> Page[RequestView]:
    """The newest first, or as `sort` says."""
    return await _page(tx, who.org, query, sort, EXPORT)


@erasures.get("/{erasure_id}", permission="privacy:read")
async def read_erasure(erasure_id: UUID, tx: Tx, who: Who, response: Response) -> RequestDetail:
    """One of them, with what each service answered."""
    return await _detail(tx, who.org, erasure_id, ERASURE, response)


@exports.get("/{export_id}", permission="privacy:read")
async def read_export(export_id: UUID, tx: Tx, who: Who, response: Response) -> RequestDetail:
    """One of them, with what each service wrote."""
    return await _detail(tx, who.org, export_id, EXPORT, response)


@erasures.get("/{erasure_id}/report", permission="public", limit="open", response_class=PlainTextResponse)
async def read_erasure_report(erasure_id: UUID, token: Token, app: CurrentApp) -> PlainTextResponse:
    """The signed report (JWS, compact) of an erasure that is over; its keys are GET /v1/report-keys."""
    org = await _follow(app, erasure_id, token)
    async with app.db.transaction(org) as tx:
        request = await store.read(tx, org, erasure_id)
    if request is None or request.report is None:
        raise NotFoundError("There is no report yet.")
    return PlainTextResponse(request.report, media_type="application/jose")


@exports.post("/{export_id}/link", permission="privacy:write", recent=True, status_code=201)
async def link_export(export_id: UUID, tx: Tx, who: Who) -> LinkView:
    """A link to the archive, good for an hour; 409 where there is none, not yet or no more."""
    request = _there(await store.read(tx, who.org, export_id), EXPORT)
    if request.archive is None:
        raise ConflictError(f"There is no archive: the export is {request.state}.")
    return await _link(tx, request, f"/v1/exports/{request.id}/archive", ARCHIVE_LINK)


@exports.get(
    "/{export_id}/archive",
    permission="public",
    limit="open",
    response_class=StreamingResponse,
    responses=file_answer("application/zip"),
)
async def read_export_archive(export_id: UUID, token: Token, app: CurrentApp) -> StreamingResponse:
    """The archive (ZIP) that a link leads to."""
    org = await _follow(app, export_id, token)
    async with app.db.transaction(org) as tx:
        request = await store.read(tx, org, export_id)
    if request is None or request.archive is None:
        raise NotFoundError("There is no archive any more.")
    headers = {
        "Content-Disposition": f'attachment; filename="export-{export_id}.zip"',
        "Content-Length": str(request.archive["size"]),
        "Cache-Control": "private, no-store",
    }
    pieces: AsyncIterator[bytes] = Files.open(app.settings.files_url, app.keyring).read(
        request.archive["path"]
    )
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@report_keys.get("", permission="public", limit="open")
async def list_report_keys(tx: Tx) -> list[ReportKeyView]:
    """Every key that ever signed a report: what it is verified with."""
    return [
        ReportKeyView(kid=str(row["id"]), x=public_text(row["public_key"])) for row in await store.keys(tx)
    ]


async def _begin(tx: Transaction, who: Any, work: Any, body: NewRequest, what: str) -> PrivacyRequest:
    await _allowed(tx, who, body, what)
    if (under_way := await store.open_one(tx, who.org, what, body.contact_id, body.user_id)) is not None:
        raise ConflictError(f"That is under way: {under_way}.")
    wanted = PrivacyRequest(
        organization_id=who.org,
        id=tx.app.new_id(),
        sequence=1,
        what=what,
        kind="organization" if body.organization_slug else "person",
        contact_id=body.contact_id,
        user_id=body.user_id,
        contact_ids=[],
        identity_ids=[],
        user_ids=[body.user_id] if body.user_id else [],
        conversation_ids=[],
        state="resolving" if body.contact_id else "running",
        reason=None,
        attempt=1,
        requested_by=who.actor,
        requested_at=datetime.now(UTC),
        ended_at=None,
        report=None,
        archive=None,
    )
    return await privacy_saga.begin(tx, wanted, work.cause)


async def _allowed(tx: Transaction, who: Any, body: NewRequest, what: str) -> None:
    if body.organization_slug is not None:
        if who.role != OWNER:
            raise ForbiddenError("Only an owner of the organization may.")
        organization = await organizations.read(tx, who.org)
        if body.organization_slug != organization.slug:
            raise UnprocessableError("`organization_slug` is not your organization's.")
    if body.user_id is not None:
        user = await users.lock(tx, who.org, body.user_id)
        if user is None:
            raise NotFoundError("There is nobody with this id in your organization.")
        if what == ERASURE and user.state == "active":
            raise ConflictError("They can still sign in: deactivate them first.")


async def _page(tx: Transaction, org: UUID, query: PageQuery, sort: ByTime, what: str) -> Page[RequestView]:
    order = BY_TIME[sort]
    found = await store.listing(tx, org, what, order, query.place(sort, order), query.limit + 1)
    return query.page([RequestView.model_validate(each) for each in found], sort, order)


async def _detail(
    tx: Transaction, org: UUID, request_id: UUID, what: str, response: Response
) -> RequestDetail:
    request = _there(await store.read(tx, org, request_id), what)
    set_etag(response, request.sequence)
    answers = [AnswerView.model_validate(each) for each in await store.answers(tx, org, request_id)]
    return RequestDetail(**RequestView.model_validate(request).model_dump(), services=answers)


def _there(request: PrivacyRequest | None, what: str) -> PrivacyRequest:
    if request is None or request.what != what:
        raise NotFoundError(f"There is no such {what} in your organization.")
    return request


async def _link(tx: Transaction, request: PrivacyRequest, path: str, lifetime: timedelta) -> LinkView:
    token = secrets.token_urlsafe(32)
    expires_at = datetime.now(UTC) + lifetime
    await store.link(tx, _hash(token), request.organization_id, request.id, expires_at)
    return LinkView(url=f"{tx.app.settings.public_url}{path}?token={token}", expires_at=expires_at)


async def _follow(app: Any, request_id: UUID, token: str) -> UUID:
    found = await store.follow(app.db, _hash(token))
    if found is None or found["request_id"] != request_id:
        raise NotFoundError("The link leads nowhere, or no longer.")
    org: UUID = found["organization_id"]
    return org


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

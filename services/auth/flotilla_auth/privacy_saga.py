"""erase and export: all services are asked, their answers collected, the outcome reported.

Nothing is undone here, so it is no saga with compensation: who has not answered is asked again, with longer and longer
pauses, and owners are told. A person is resolved by crm first: which contacts and channel identities they are. Of an
organization auth erases its own part last, when nobody else has anything left.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from flotilla.bus.declare import Job, TimerKind, reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.privacy import (
    ContactResolved,
    ContactResolveFailed,
    ContactResolveRequested,
    ErasureCompleted,
    ErasureFailed,
    ErasureRequested,
    ExportCompleted,
    ExportFailed,
    ExportRequested,
)
from flotilla.sagas.store import now as time_of
from flotilla.service import FLEET
from flotilla.store.postgres import Transaction

from flotilla_auth import privacy_archive, privacy_report
from flotilla_auth.onboarding import LANE
from flotilla_auth.privacy_notices import tell_owners
from flotilla_auth.store import privacy_requests as store
from flotilla_auth.store.privacy_requests import PrivacyRequest

log = structlog.get_logger()

ERASURE: Final = "erasure"
PERSON: Final = "person"
OVERDUE: Final = "privacy_overdue"
PATIENCE: Final = timedelta(minutes=5)
MOST_PATIENCE: Final = timedelta(hours=6)
TELL_AFTER: Final = 3
"""Askings without an answer from all, after which owners are told."""

Answer = ErasureCompleted | ErasureFailed | ExportCompleted | ExportFailed


class Waiting(msgspec.Struct, frozen=True):
    """A request whose answers are awaited."""

    request_id: UUID


async def begin(tx: Transaction, request: PrivacyRequest, cause: Cause) -> PrivacyRequest:
    """Write it down and ask: crm who the person is, or all at once."""
    begun = await store.insert(tx, request, FLEET)
    await _ask(tx, begun, replace(cause, request_id=begun.id))
    return begun


@reaction(ContactResolved, ContactResolveFailed, lane=LANE)
async def take_persons(
    tx: Transaction, batch: Sequence[Received[ContactResolved | ContactResolveFailed]]
) -> None:
    """Crm has said who it is: now all are asked; or that nobody is."""
    said = {(event.org, event.data.request_id): event for event in batch}
    for request in await store.lock(tx, sorted(said)):
        if request.state != "resolving":
            continue
        event = said[request.organization_id, request.id]
        cause = replace(event.cause, request_id=request.id)
        if isinstance(event.data, ContactResolveFailed):
            await _fail(tx, request, event.data.reason)
            continue
        known = replace(
            request,
            state="running",
            contact_ids=event.data.contact_ids,
            identity_ids=event.data.identity_ids,
            conversation_ids=list(event.data.conversation_ids),
        )
        await _ask(tx, await store.save(tx, known), cause)


@reaction(ErasureCompleted, ErasureFailed, ExportCompleted, ExportFailed, lane=LANE)
async def collect_answers(tx: Transaction, batch: Sequence[Received[Answer]]) -> None:
    """Keep what services say; where all have, the request is over."""
    causes = {(event.org, event.data.request_id): event.cause for event in batch}
    requests = await store.lock(tx, sorted(causes))
    latest: dict[tuple[UUID, UUID, str], Received[Answer]] = {}
    for event in batch:
        latest[event.org, event.data.request_id, event.data.service] = event
    await store.keep_answers(tx, [_answer(event.org, event.data) for event in latest.values()])
    for request in requests:
        if request.state == "running":
            await _go_on(
                tx, request, replace(causes[request.organization_id, request.id], request_id=request.id)
            )


def _answer(org: UUID, data: Any) -> dict[str, Any]:
    failed = isinstance(data, ErasureFailed | ExportFailed)
    result = {} if failed else _result(data)
    return {
        "org": org,
        "request": data.request_id,
        "service": data.service,
        "state": "failed" if failed else "completed",
        "result": result,
        "reason": data.reason if failed else None,
    }


def _result(data: Any) -> dict[str, Any]:
    if isinstance(data, ErasureCompleted):
        return dict(data.erased)
    return {"path": data.path, "things": data.things, "size": data.size, "sha256": data.sha256}


async def _go_on(tx: Transaction, request: PrivacyRequest, cause: Cause) -> None:
    """After an answer: over, or auth's own turn."""
    answers = await store.answers(tx, request.organization_id, request.id)
    missing = {answer.service for answer in answers if answer.state != "completed"}
    if missing == {"auth"} and _auth_is_last(request):
        if all(answer.state == "waiting" for answer in answers if answer.service == "auth"):
            await _ask_services(tx, request, ["auth"], cause)
        return
    if missing:
        return
    tx.cancel_timer(OVERDUE, str(request.id))
    if request.what != ERASURE:
        await store.save(tx, replace(request, state="collecting"))
        privacy_archive.collect(tx, request, cause)
        return
    report = await privacy_report.signed(tx, request, answers)
    over = replace(request, state="done", report=report, ended_at=await time_of(tx))
    await store.save(tx, over)
    await tell_owners(
        tx, over, "erasure.done", "Erased", "What was known is gone; the signed report is there.", cause
    )


async def _fire(tx: Transaction, job: Job) -> None:
    """Not all have answered in time: ask those again, and tell owners where that was often."""
    held = await store.lock(tx, [(job.org, job.payload.request_id)])
    if not held or held[0].state not in ("resolving", "running"):
        return
    request = await store.save(tx, replace(held[0], attempt=held[0].attempt + 1))
    cause = replace(job.cause, request_id=request.id)
    await _ask(tx, request, cause)
    if request.attempt == TELL_AFTER + 1:
        late = [
            answer.service
            for answer in await store.answers(tx, request.organization_id, request.id)
            if answer.state != "completed"
        ]
        log.error("privacy.overdue", request=str(request.id), org=str(job.org), services=late)
        text = f"Not all parts have answered yet ({', '.join(late)}); they are asked again."
        await tell_owners(tx, request, f"{request.what}.overdue", "A request takes long", text, cause)


overdue: Final = TimerKind(OVERDUE, Waiting, _fire)


async def _ask(tx: Transaction, request: PrivacyRequest, cause: Cause) -> None:
    """Whoever is to be asked now, again in a while."""
    pause = min(PATIENCE * 2 ** (request.attempt - 1), MOST_PATIENCE)
    due_at = await time_of(tx) + pause
    tx.set_timer(
        OVERDUE, str(request.id), due_at, Waiting(request.id), org=request.organization_id, cause=cause
    )
    if request.state == "resolving":
        assert request.contact_id is not None
        wish = ContactResolveRequested(request_id=request.id, contact_id=request.contact_id)
        tx.emit(wish, org=request.organization_id, sequence=request.attempt, cause=cause)
        return
    grouped: dict[str, list[str]] = defaultdict(list)
    for answer in await store.answers(tx, request.organization_id, request.id):
        grouped[answer.state].append(answer.service)
    missing = [*grouped["waiting"], *grouped["failed"]]
    others = [service for service in missing if service != "auth"] if _auth_is_last(request) else missing
    await _ask_services(tx, request, others or missing, cause)


async def _ask_services(tx: Transaction, request: PrivacyRequest, services: list[str], cause: Cause) -> None:
    type_ = ErasureRequested if request.what == ERASURE else ExportRequested
    event = type_(
        request_id=request.id,
        kind=request.kind,
        contact_ids=request.contact_ids,
        identity_ids=request.identity_ids,
        user_ids=request.user_ids,
        conversation_ids=tuple(request.conversation_ids),
        services=sorted(services),
        attempt=request.attempt,
        asked_at=request.requested_at,
    )
    tx.emit(event, org=request.organization_id, sequence=request.attempt, cause=cause)


async def _fail(tx: Transaction, request: PrivacyRequest, reason: str) -> None:
    tx.cancel_timer(OVERDUE, str(request.id))
    await store.save(tx, replace(request, state="failed", reason=reason, ended_at=await time_of(tx)))


def _auth_is_last(request: PrivacyRequest) -> bool:
    return request.what == ERASURE and request.kind != PERSON

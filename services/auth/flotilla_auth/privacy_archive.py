"""The parts of an export as one archive (ZIP) with a manifest, in the file store, for a week.

Parts are checked against what services said of them, packed piece by piece through a file on disk, and go once the
archive stands. Whatever dies on the way, it is packed again.
"""

import asyncio
import hashlib
import tempfile
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.cause import Cause
from flotilla.sagas.store import now as time_of
from flotilla.store.files import Files
from flotilla.store.postgres import Transaction

from flotilla_auth.privacy_notices import tell_owners
from flotilla_auth.store import privacy_requests as store
from flotilla_auth.store.privacy_requests import Answered, PrivacyRequest

ARCHIVE: Final = "privacy_archive"
LIFETIME: Final = timedelta(days=7)
PIECE: Final = 1 << 20
MANIFEST: Final = "manifest.json"


class PartChangedError(RuntimeError):
    """A part in the file store is not what its service wrote."""


class Archive(msgspec.Struct, frozen=True):
    """What to do with whose archive: `pack` or `remove`."""

    request_id: UUID
    step: str


def collect(tx: Transaction, request: PrivacyRequest, cause: Cause) -> None:
    """All parts are there: have them packed."""
    task = Archive(request.id, "pack")
    tx.enqueue(ARCHIVE, f"pack:{request.id}", task, org=request.organization_id, cause=cause)


async def _perform(app: App, job: Job) -> dict[str, Any] | None:
    task: Archive = job.payload
    files = Files.open(app.settings.files_url, app.keyring)
    folder = f"exports/{task.request_id}"
    if task.step == "remove":
        await files.delete(job.org, folder)
        return None
    async with app.db.transaction(job.org) as tx:
        request = await store.read(tx, job.org, task.request_id)
        answers = await store.answers(tx, job.org, task.request_id)
    if request is None or request.state != "collecting":
        return None
    path = f"{job.org}/{folder}/archive.zip"
    with tempfile.TemporaryFile() as packed:
        await _pack(files, packed, request, answers)
        size, sha256 = await _store(files, packed, path)
    return {"path": path, "size": size, "sha256": sha256}


async def _pack(files: Files, packed: IO[bytes], request: PrivacyRequest, answers: list[Answered]) -> None:
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for answer in answers:
            name = Path(answer.result["path"]).name
            digest = hashlib.sha256()
            with archive.open(name, "w", force_zip64=True) as entry:
                async for piece in files.read(answer.result["path"]):
                    digest.update(piece)
                    await asyncio.to_thread(entry.write, piece)
            if digest.hexdigest() != answer.result["sha256"]:
                raise PartChangedError(answer.service)
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(_manifest(request, answers))))


def _manifest(request: PrivacyRequest, answers: list[Answered]) -> dict[str, Any]:
    return {
        "request_id": request.id,
        "organization_id": request.organization_id,
        "kind": request.kind,
        "contact_ids": request.contact_ids,
        "identity_ids": request.identity_ids,
        "user_ids": request.user_ids,
        "requested_at": request.requested_at,
        "packed_at": datetime.now(UTC),
        "parts": [
            {
                "service": answer.service,
                "file": Path(answer.result["path"]).name,
                "things": answer.result["things"],
                "sha256": answer.result["sha256"],
            }
            for answer in answers
        ],
    }


async def _store(files: Files, packed: IO[bytes], path: str) -> tuple[int, str]:
    packed.seek(0)
    digest, size = hashlib.sha256(), 0
    async with files.writing(path) as sink:
        while piece := await asyncio.to_thread(packed.read, PIECE):
            digest.update(piece)
            size += len(piece)
            await sink.write(piece)
    return size, digest.hexdigest()


async def _finish(tx: Transaction, job: Job, made: dict[str, Any] | None) -> None:
    task: Archive = job.payload
    held = await store.lock(tx, [(job.org, task.request_id)])
    if not held:
        return
    request = held[0]
    if task.step == "remove":
        await store.save(tx, replace(request, state="expired", archive=None))
    elif made is not None and request.state == "collecting":
        now = await time_of(tx)
        expires_at = now + LIFETIME
        archive = {**made, "expires_at": expires_at.isoformat()}
        over = await store.save(tx, replace(request, state="done", archive=archive, ended_at=now))
        gone = Archive(request.id, "remove")
        tx.enqueue(ARCHIVE, f"remove:{request.id}", gone, org=job.org, due_at=expires_at)
        text = "What is known is packed into one archive; it can be fetched for a week."
        await tell_owners(tx, over, "export.done", "Your export is ready", text, job.cause)


async def _give_up(tx: Transaction, job: Job, error: Exception) -> None:
    held = await store.lock(tx, [(job.org, job.payload.request_id)])
    if held and held[0].state == "collecting":
        now = await time_of(tx)
        await store.save(tx, replace(held[0], state="failed", reason=type(error).__name__, ended_at=now))


archive: Final = JobKind(
    ARCHIVE, Archive, _perform, _finish, _give_up, lease=timedelta(minutes=30), attempts=5, concurrency=1
)

"""Bytes of attachments on their way into the file store, and out of it where nobody wants them any more."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, TimerKind
from flotilla.store.files import Files
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.attachments import HEAD, Attachment, content_type_of, folders_of
from flotilla_messaging.store import attachments

log = structlog.get_logger()

REMOVE: Final = "remove_files"
ABANDONED: Final = "upload_abandoned"
PATIENCE: Final = timedelta(days=1)
"""How long an upload may take."""


class Removal(msgspec.Struct, frozen=True):
    """A folder under the organization's that nobody needs."""

    folder: str


class Upload(msgspec.Struct, frozen=True):
    """An upload that was begun."""

    attachment_id: UUID


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a process of messaging holds."""

    files: Files


@dataclass(frozen=True, slots=True)
class Filed:
    """A whole file as it lies in the store."""

    object: str
    content_type: str
    size: int
    sha256: str


class PartMissingError(LookupError):
    """A part has not come."""

    def __init__(self, number: int) -> None:
        super().__init__(f"part {number}")
        self.number = number


@asynccontextmanager
async def held(app: App) -> AsyncIterator[Holdings]:
    """Open what the process holds."""
    yield Holdings(Files.open(app.settings.files_url, app.keyring))


def files_of(app: App) -> Files:
    """The process's file store."""
    holdings: Holdings = app.own
    return holdings.files


async def put_together(app: App, attachment: Attachment, parts: int) -> Filed:
    """Make one file of the parts, at a place of its own; PartMissingError where one has not come."""
    files, path = files_of(app), attachment.whole(app.new_id())
    digest, size, head = hashlib.sha256(), 0, b""
    for number in range(1, parts + 1):
        if await files.size(attachment.part(number)) is None:
            raise PartMissingError(number)
    async with files.writing(path) as sink:
        for number in range(1, parts + 1):
            async for piece in files.read(attachment.part(number)):
                digest.update(piece)
                size += len(piece)
                head += piece[: HEAD - len(head)]
                await sink.write(piece)
    return Filed(path, content_type_of(head, attachment.name), size, digest.hexdigest())


def give_up_later(tx: Transaction, attachment: Attachment) -> None:
    """Forget the upload if it has not ended within a day."""
    due = datetime.now(UTC) + PATIENCE
    tx.set_timer(ABANDONED, str(attachment.id), due, Upload(attachment.id), org=attachment.organization_id)


def remove_parts(tx: Transaction, attachment: Attachment) -> None:
    """What they were put together of is needed no more."""
    _remove_later(tx, attachment, folders_of(attachment.id)[1])


def _remove_later(tx: Transaction, attachment: Attachment, folder: str) -> None:
    tx.enqueue(REMOVE, folder, Removal(folder), org=attachment.organization_id)


async def _abandon(tx: Transaction, job: Job) -> None:
    gone = await attachments.abandon(tx, job.org, job.payload.attachment_id)
    if gone is not None:
        remove_parts(tx, gone)
        _remove_later(tx, gone, folders_of(gone.id)[0])


async def _remove(app: App, job: Job) -> None:
    await files_of(app).delete(job.org, job.payload.folder)


async def _finish(_tx: Transaction, _job: Job, _result: None) -> None:
    """Nothing is left to write."""


async def _give_up(_tx: Transaction, job: Job, error: Exception) -> None:
    log.error("files.not_removed", org=str(job.org), folder=job.payload.folder, error=type(error).__name__)


file_removal = JobKind(
    kind=REMOVE, payload=Removal, perform=_remove, finish=_finish, give_up=_give_up, attempts=20
)
upload_abandoned = TimerKind(ABANDONED, Upload, _abandon)

"""Files of conversations: how large they may be, where they lie, what they are."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final
from uuid import UUID

import puremagic

MAX_PART: Final = 1 << 20
"""Bytes of one part: what the gateway takes at once."""
MAX_PARTS: Final = 25
HEAD: Final = 64 << 10
"""Bytes by which a file's type is told."""
UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"


ATTACHMENTS: Final = "attachments"
"""The folder of an organization in which they lie."""


def folders_of(attachment_id: UUID) -> tuple[str, str]:
    """Where an attachment lies, and where its parts do until it is whole, under its organization's folder."""
    return f"{ATTACHMENTS}/{attachment_id}", f"{ATTACHMENTS}/{attachment_id}.parts"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a conversation."""

    organization_id: UUID
    id: UUID
    conversation_id: UUID
    message_id: UUID | None
    name: str
    state: str
    """`uploading` until all of it has come, then `stored`."""
    object: str | None
    """Its path in the file store."""
    content_type: str | None
    size: int | None
    sha256: str | None
    created_by: str
    created_at: datetime
    sequence: int

    def part(self, number: int) -> str:
        """Where a part of it lies until it is whole."""
        return f"{self.organization_id}/{folders_of(self.id)[1]}/{number}"

    def whole(self, attempt: UUID) -> str:
        """Where it shall lie: each attempt has a place of its own, and what the row names is never written again."""
        return f"{self.organization_id}/{folders_of(self.id)[0]}/{attempt}"


def content_type_of(head: bytes, name: str) -> str:
    """What a file is by its first bytes, whatever its name says; the name decides between kinds that begin alike."""
    suffix = PurePosixPath(name).suffix.lower()
    try:
        found = [match for match in puremagic.magic_string(head) if match.mime_type]
    except (puremagic.PureError, ValueError):
        found = []
    alike = [match for match in found if match.extension == suffix]
    if best := (alike or found)[:1]:
        return str(best[0].mime_type)
    return TEXT if _readable(head) else UNKNOWN


def _readable(head: bytes) -> bool:
    """Whether it is text: UTF-8, perhaps cut within a letter, without control characters."""
    text = head.decode("utf-8", "ignore")
    whole = len(head) - len(text.encode()) < 4
    return whole and all(character.isprintable() or character in "\t\r\n" for character in text)

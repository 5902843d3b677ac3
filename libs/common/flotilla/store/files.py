"""The file store: a folder, or S3 by its address; what lies there is an organization's, by its path.

<organization>/exports/<request>/<service>.jsonl
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

import obstore
from obstore.store import LocalStore, from_url

from flotilla.outside import forbid_in_transaction

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CHUNK: Final = 1 << 20


class Sink(Protocol):
    """Where a file is written to, piece by piece."""

    async def write(self, piece: bytes) -> None:
        """The next bytes."""


class Files:
    """One store; paths begin with an organization's id."""

    def __init__(self, store: "ObjectStore") -> None:
        self._store = store

    @classmethod
    def open(cls, url: str) -> "Files":
        """`file:///…` or a plain path, a folder that comes to be; else what obstore knows: `s3://bucket/…`."""
        parts = urlsplit(url)
        if parts.scheme in ("", "file"):
            folder = Path(unquote(parts.path))
            folder.mkdir(parents=True, exist_ok=True)
            return cls(LocalStore(folder))
        return cls(from_url(url))

    @contextlib.asynccontextmanager
    async def writing(self, path: str) -> AsyncIterator[Sink]:
        """Write a file in pieces; it stands once all of it is there, and replaces the one before."""
        forbid_in_transaction("files")
        async with obstore.open_writer_async(self._store, path, buffer_size=8 * CHUNK) as writer:
            yield _Writer(writer)

    async def read(self, path: str) -> AsyncIterator[bytes]:
        """A file in pieces; FileNotFoundError where there is none."""
        forbid_in_transaction("files")
        found = await obstore.get_async(self._store, path)
        async for piece in found.stream(min_chunk_size=CHUNK):
            yield bytes(piece)

    async def size(self, path: str) -> int | None:
        """In bytes; None where there is no such file."""
        forbid_in_transaction("files")
        try:
            return int((await obstore.head_async(self._store, path))["size"])
        except FileNotFoundError:
            return None

    async def delete(self, org: UUID, under: str = "") -> int:
        """Remove what an organization has under a folder; all it has where none is named: how many files."""
        forbid_in_transaction("files")
        prefix = f"{org}/{under}".rstrip("/")
        found: list[str] = []
        async for some in obstore.list(self._store, prefix=prefix):
            found += [each["path"] for each in some]
        if found:
            await obstore.delete_async(self._store, found)
        return len(found)


class _Writer:
    def __init__(self, writer: object) -> None:
        self._writer = writer

    async def write(self, piece: bytes) -> None:
        await self._writer.write(piece)  # type: ignore[attr-defined]

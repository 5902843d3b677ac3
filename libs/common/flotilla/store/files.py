"""The file store: a folder, or S3 by its address; what lies there is an organization's, by its path.

<organization>/exports/<request>/<service>.jsonl

Everything is encrypted on its way in (`file_sealing`): who has the disk or the bucket has nothing.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

import obstore
from obstore.exceptions import PreconditionError
from obstore.store import LocalStore, from_url

from flotilla.outside import forbid_in_transaction
from flotilla.security.sealing import Keyring
from flotilla.store import file_sealing
from flotilla.store.file_sealing import HEAD, Sealer

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CHUNK: Final = 1 << 20


class Sink(Protocol):
    """Where a file is written to, piece by piece."""

    async def write(self, piece: bytes) -> None:
        """The next bytes."""


class Files:
    """One store; paths begin with an organization's id."""

    def __init__(self, store: "ObjectStore", keyring: Keyring, folder: Path | None = None) -> None:
        """`folder`: where the store lies, if that is a folder."""
        self._store = store
        self._keyring = keyring
        self._folder = folder

    @classmethod
    def open(cls, url: str, keyring: Keyring) -> "Files":
        """`file:///…` or a plain path, a folder that comes to be; else what obstore knows: `s3://bucket/…`."""
        parts = urlsplit(url)
        if parts.scheme in ("", "file"):
            folder = Path(unquote(parts.path))
            folder.mkdir(parents=True, exist_ok=True)
            return cls(LocalStore(folder), keyring, folder)
        return cls(from_url(url), keyring)

    @contextlib.asynccontextmanager
    async def writing(self, path: str) -> AsyncIterator[Sink]:
        """Write a file in pieces; it stands once all of it is there, and replaces the one before."""
        forbid_in_transaction("files")
        sealer = Sealer(self._keyring, path)
        async with obstore.open_writer_async(self._store, path, buffer_size=8 * CHUNK) as writer:
            await writer.write(sealer.head)
            yield _Writer(writer, sealer)
            await writer.write(sealer.end())

    async def read(self, path: str) -> AsyncIterator[bytes]:
        """A file in pieces; FileNotFoundError where there is none, UnsealError where it was not written here."""
        forbid_in_transaction("files")
        found = await obstore.get_async(self._store, path)

        async def stored() -> AsyncIterator[bytes]:
            async for piece in found.stream(min_chunk_size=CHUNK):
                yield bytes(piece)

        async for piece in file_sealing.opened(stored(), self._keyring, path):
            yield piece

    async def size(self, path: str) -> int | None:
        """In bytes; None where there is no such file."""
        forbid_in_transaction("files")
        try:
            return file_sealing.plain_size(int((await obstore.head_async(self._store, path))["size"]))
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

    async def all(self) -> AsyncIterator[str]:
        """Paths of all files of all organizations."""
        async for some in obstore.list(self._store):
            for each in some:
                yield each["path"]

    async def keys_of(self, path: str) -> set[str]:
        """Ids of the master keys that open a file; none where there is no such file any more."""
        try:
            head = bytes(await obstore.get_range_async(self._store, path, start=0, length=HEAD))
        except FileNotFoundError:
            return set()
        return file_sealing.keys_of(head)

    async def reseal(self, path: str) -> bool:
        """Put a file under the newest master key: whether there was anything to do.

        Only its head changes. One that is removed meanwhile stays removed, one that is replaced is under the newest key
        already.
        """
        if await self.keys_of(path) <= {self._keyring.newest}:
            return False
        if self._folder is not None:
            return await asyncio.to_thread(_reseal_in_place, self._folder / path, path, self._keyring)
        found = await obstore.get_async(self._store, path)
        whole = bytes(await found.bytes_async())
        key = file_sealing.open_head(self._keyring, path, whole[:HEAD])
        version = {
            name: value for name, value in found.meta.items() if name in ("e_tag", "version") and value
        }
        with contextlib.suppress(PreconditionError, FileNotFoundError):
            fresh = file_sealing.make_head(self._keyring, path, key) + whole[HEAD:]
            await obstore.put_async(self._store, path, fresh, mode=version)  # type: ignore[arg-type]
        return True


def _reseal_in_place(file: Path, path: str, keyring: Keyring) -> bool:
    """One slot after the other, each on the disk before the next: a crash between leaves one that opens."""
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        head = os.pread(descriptor, HEAD, 0)
        fresh = file_sealing.make_head(keyring, path, file_sealing.open_head(keyring, path, head))
        for start, end in file_sealing.slot_bounds():
            os.pwrite(descriptor, fresh[start:end], start)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True


class _Writer:
    def __init__(self, writer: object, sealer: Sealer) -> None:
        self._writer = writer
        self._sealer = sealer

    async def write(self, piece: bytes) -> None:
        if chunks := self._sealer.add(piece):
            await self._writer.write(chunks)  # type: ignore[attr-defined]

"""Files at rest: encrypted, whole or refused, each in its place, and under the newest key once keys rotate."""

import asyncio
import base64
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from flotilla.security.sealing import Keyring, UnsealError
from flotilla.store import file_sealing
from flotilla.store.file_sealing import CHUNK, HEAD, TAG
from flotilla.store.files import Files
from obstore.store import MemoryStore

SECRET = b"Anna lives at the harbour. "


def key(name: str, fill: int) -> str:
    return f"{name}:{base64.b64encode(bytes([fill]) * 32).decode()}"


OLD, BOTH, NEW = Keyring(key("k1", 1)), Keyring(f"{key('k2', 2)},{key('k1', 1)}"), Keyring(key("k2", 2))


class Place:
    """One store, opened with whichever keys."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._memory = MemoryStore()

    def files(self, keyring: Keyring) -> Files:
        return Files.open(self._folder.as_uri(), keyring) if self._folder else Files(self._memory, keyring)

    async def stored(self, path: str) -> bytes:
        if self._folder:
            return (self._folder / path).read_bytes()
        return bytes(await (await self._memory.get_async(path)).bytes_async())


@pytest.fixture(params=["folder", "objects"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A folder, and a store of objects such as S3."""
    return Place(tmp_path if request.param == "folder" else None)


@pytest.fixture
def path(org: UUID) -> str:
    return f"{org}/attachments/1"


async def write(files: Files, path: str, content: bytes, step: int = 10_000) -> None:
    async with files.writing(path) as sink:
        for start in range(0, len(content), step):
            await sink.write(content[start : start + step])


async def read(files: Files, path: str) -> bytes:
    return b"".join([piece async for piece in files.read(path)])


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 40 * CHUNK + 17])
async def test_what_is_written_is_read_and_its_size_known(place: Place, path: str, size: int) -> None:
    content = (SECRET * (size // len(SECRET) + 1))[:size]
    files = place.files(OLD)
    await write(files, path, content)
    assert await read(files, path) == content
    assert await files.size(path) == size


async def test_in_the_store_it_says_nothing(place: Place, path: str) -> None:
    await write(place.files(OLD), path, SECRET * 5000)
    stored = await place.stored(path)
    assert SECRET[:8] not in stored
    await write(place.files(OLD), path, SECRET * 5000)
    assert (await place.stored(path))[HEAD:] != stored[HEAD:], "the same words twice do not look the same"


async def test_a_file_that_was_not_finished_does_not_stand(place: Place, path: str) -> None:
    async def die() -> None:
        async with place.files(OLD).writing(path) as sink:
            await sink.write(SECRET * 5000)
            raise KeyError

    with pytest.raises(KeyError):
        await die()
    assert await place.files(OLD).size(path) is None


async def test_it_can_be_neither_cut_nor_changed_nor_moved(tmp_path: Path, org: UUID) -> None:
    files, path = Files.open(str(tmp_path), OLD), f"{org}/a"
    await write(files, path, SECRET * 10_000)
    whole = (tmp_path / path).read_bytes()
    chunk = CHUNK + TAG
    swapped = (
        whole[:HEAD]
        + whole[HEAD + chunk : HEAD + 2 * chunk]
        + whole[HEAD : HEAD + chunk]
        + whole[HEAD + 2 * chunk :]
    )
    flipped = bytearray(whole)
    flipped[HEAD + chunk + 5] ^= 1
    for forged in (
        whole[: HEAD + chunk],
        whole[: HEAD + chunk + 9],
        whole[:HEAD],
        b"",
        swapped,
        bytes(flipped),
        SECRET * 99,
    ):
        (tmp_path / path).write_bytes(forged)
        with pytest.raises(UnsealError):
            await read(files, path)
    (tmp_path / f"{org}/b").write_bytes(whole)
    with pytest.raises(UnsealError):
        await read(files, f"{org}/b")


async def test_keys_rotate_by_the_head_alone(place: Place, path: str) -> None:
    await write(place.files(OLD), path, SECRET * 5000)
    before = await place.stored(path)
    both = place.files(BOTH)
    assert await read(both, path) == SECRET * 5000
    assert await both.reseal(path)
    assert not await both.reseal(path), "there is nothing more to do"
    after = await place.stored(path)
    assert after[HEAD:] == before[HEAD:]
    assert await read(place.files(NEW), path) == SECRET * 5000
    with pytest.raises(UnsealError):
        await read(place.files(OLD), path)
    assert [each async for each in both.all()] == [path]


@pytest.mark.parametrize("written", [HEAD // 2, HEAD // 2 + 40])
async def test_one_that_died_on_the_way_is_whole_and_goes_on(tmp_path: Path, org: UUID, written: int) -> None:
    """Torn within the first slot, and within the second."""
    path = f"{org}/a"
    await write(Files.open(str(tmp_path), OLD), path, SECRET)
    file = tmp_path / path
    before = file.read_bytes()
    file_key = file_sealing.open_head(OLD, path, before[:HEAD])
    torn = written - 100 if written == HEAD // 2 else written
    file.write_bytes(file_sealing.make_head(BOTH, path, file_key)[:torn] + before[torn:])
    files = Files.open(str(tmp_path), BOTH)
    assert await read(files, path) == SECRET
    await files.reseal(path)
    assert await read(Files.open(str(tmp_path), NEW), path) == SECRET


async def test_what_is_removed_meanwhile_stays_removed(place: Place, path: str, org: UUID) -> None:
    """Erased while keys rotate: a sweep that brought it back would undo an erasure."""
    await write(place.files(OLD), path, SECRET)
    both = place.files(BOTH)
    await asyncio.gather(both.reseal(path), both.delete(org))
    await both.reseal(path)
    assert await both.size(path) is None
    assert await both.delete(uuid4()) == 0

"""Files at rest: each under a key of its own, which lies in its head, sealed under the master keys.

    8 bytes magic | two slots of 124 bytes: 1 byte length, the file's key sealed for its path | chunks

A chunk is 64 KiB of the file under AES-256-GCM and a tag of 16 bytes; the nonce counts chunks and marks the last one
(STREAM, Hoang et al. 2015), so that none can be left out, moved or taken from another file, nor the end cut off. Keys
rotate by writing the head alone. There are two slots so that a head can be written over where it lies: one of them is
whole at any moment.
"""

from collections.abc import AsyncIterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flotilla.security.sealing import Keyring, UnsealError, sealed_under

MAGIC: Final = b"flotilla"
SLOT: Final = 124
HEAD: Final = len(MAGIC) + 2 * SLOT
CHUNK: Final = 64 * 1024
TAG: Final = 16
_KEY: Final = 32


class Sealer:
    """Bytes in, the file as it lies in the store out."""

    def __init__(self, keyring: Keyring, path: str) -> None:
        key = AESGCM.generate_key(8 * _KEY)
        self._cipher = AESGCM(key)
        self._count = 0
        self._rest = bytearray()
        self.head = make_head(keyring, path, key)
        """What the file begins with."""

    def add(self, piece: bytes) -> bytes:
        """The chunks that are full with it; one that might be the last is kept back."""
        self._rest += piece
        chunks = []
        while len(self._rest) > CHUNK:
            chunks.append(self._chunk(bytes(self._rest[:CHUNK]), last=False))
            del self._rest[:CHUNK]
        return b"".join(chunks)

    def end(self) -> bytes:
        """The last chunk, which is there though the file is empty."""
        return self._chunk(bytes(self._rest), last=True)

    def _chunk(self, plain: bytes, *, last: bool) -> bytes:
        nonce = _nonce(self._count, last=last)
        self._count += 1
        return self._cipher.encrypt(nonce, plain, None)


async def opened(stored: AsyncIterator[bytes], keyring: Keyring, path: str) -> AsyncIterator[bytes]:
    """The file in pieces; UnsealError where it is not one that was written here, or not whole."""
    held = bytearray()
    cipher, count = None, 0
    async for piece in stored:
        held += piece
        if cipher is None:
            if len(held) < HEAD:
                continue
            cipher = AESGCM(open_head(keyring, path, bytes(held[:HEAD])))
            del held[:HEAD]
        plain = []
        while len(held) > CHUNK + TAG:
            plain.append(_open(cipher, bytes(held[: CHUNK + TAG]), _nonce(count, last=False)))
            del held[: CHUNK + TAG]
            count += 1
        if plain:
            yield b"".join(plain)
    if cipher is None:
        raise UnsealError("shorter than a head")
    if last := _open(cipher, bytes(held), _nonce(count, last=True)):
        yield last


def make_head(keyring: Keyring, path: str, key: bytes) -> bytes:
    """The head of a file under this key: both slots alike."""
    sealed = keyring.seal(key, path.encode())
    return MAGIC + 2 * (bytes([len(sealed)]) + sealed).ljust(SLOT, b"\0")


def open_head(keyring: Keyring, path: str, head: bytes) -> bytes:
    """The file's key, of the slot that is whole."""
    error = UnsealError("not one of our files")
    for slot in _slots(head):
        try:
            return keyring.open(slot, path.encode())
        except UnsealError as shut:
            error = shut
    raise error


def keys_of(head: bytes) -> set[str]:
    """Ids of the keys under which the slots are; one that was half written counts as another."""
    found = set()
    for slot in _slots(head):
        try:
            found.add(sealed_under(slot))
        except UnsealError:
            found.add("")
    return found


def slot_bounds() -> list[tuple[int, int]]:
    """Where in the head the slots begin and end."""
    return [(start, start + SLOT) for start in (len(MAGIC), len(MAGIC) + SLOT)]


def plain_size(stored: int) -> int:
    """How large a file is that takes so much in the store."""
    sealed = stored - HEAD
    chunks = -(-sealed // (CHUNK + TAG))
    return sealed - chunks * TAG


def _slots(head: bytes) -> list[bytes]:
    if len(head) != HEAD or not head.startswith(MAGIC):
        return []
    return [head[start + 1 : start + 1 + head[start]] for start, _ in slot_bounds()]


def _open(cipher: AESGCM, chunk: bytes, nonce: bytes) -> bytes:
    try:
        return cipher.decrypt(nonce, chunk, None)
    except (InvalidTag, ValueError) as error:
        raise UnsealError("a chunk was changed, moved or cut off") from error


def _nonce(count: int, *, last: bool) -> bytes:
    return count.to_bytes(11, "big") + bytes([last])

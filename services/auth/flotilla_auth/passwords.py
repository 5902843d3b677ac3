"""Passwords: hashed with Argon2id off the event loop, a few at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from flotilla.http import UnavailableError
from flotilla.security.keyed_hashes import Hashes, KeyedHashes
from flotilla.security.sealing import Keyring

from flotilla_auth.breaches import Breaches
from flotilla_auth.domain.passwords import BREACHED, normalized, objection

THREADS: Final = 2
MOST_WAITING: Final = 100
"""About two seconds of work: whoever comes then is told to come back instead of waiting longer."""

R = TypeVar("R")


class Passwords:
    """Argon2id with 19 MiB, two passes, one lane (OWASP's Password Storage Cheat Sheet)."""

    def __init__(self, breaches: Breaches | None = None) -> None:
        """`breaches`: where passwords that leaked elsewhere are looked up; None: they are not."""
        self._breaches = breaches
        self._argon = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobodys = self._argon.hash("a password that nobody has")

    def close(self) -> None:
        """Let what is begun end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """What is stored: salt and parameters are in it."""
        return await self._run(lambda: self._argon.hash(normalized(password)))

    async def objection(self, password: str, email: str, *names: str) -> str | None:
        """Why nobody should choose it, for them to read; None where it will do."""
        found = await self._run(lambda: objection(password, email, *names))
        if found is None and self._breaches is not None and await self._breaches.has(normalized(password)):
            return BREACHED
        return found

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; as much work where there is nothing stored."""
        return await self._run(lambda: self._matches(stored, password))

    def is_outdated(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._argon.check_needs_rehash(stored)

    def _matches(self, stored: str | None, password: str) -> bool:
        try:
            right = self._argon.verify(stored or self._nobodys, normalized(password))
        except (VerificationError, InvalidHashError):
            return False
        return right and stored is not None

    async def _run(self, work: Callable[[], R]) -> R:
        if self._waiting >= MOST_WAITING:
            raise UnavailableError("Too many people sign in at this moment.", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


class EmailHashes:
    """Keyed hashes of e-mail addresses: whoever steals the look-up table cannot try addresses on it."""

    def __init__(self, keyring: Keyring) -> None:
        self._hashes = KeyedHashes(keyring, "auth: hashes of e-mail addresses")

    def of(self, email: str) -> Hashes:
        """Of an address in its one form: as it is stored, then as it may have been under older keys."""
        return self._hashes.of(email.encode())

"""A script that Redis knows by its hash, and is told again where it has forgotten it."""

import asyncio
import hashlib
from functools import partial
from importlib.resources import files
from typing import Final

import hiredis

from flotilla_gateway.limits.pipe import RedisPipe, Then, Word, settle

_UNKNOWN: Final = "NOSCRIPT"


class Script:
    """One Lua script of this package."""

    def __init__(self, package: str, name: str) -> None:
        self._source = (files(package) / name).read_bytes()
        # Redis names scripts by SHA-1.
        self._sha = hashlib.sha1(self._source, usedforsecurity=False).hexdigest().encode()

    def tell(self, pipe: RedisPipe, then: Then, *arguments: Word) -> None:
        """Run it; `then` hears what `RedisPipe.tell` says. `arguments` begin with the number of keys."""

        def heard(answer: object) -> None:
            if isinstance(answer, hiredis.ReplyError) and str(answer).startswith(_UNKNOWN):
                pipe.tell(then, b"EVAL", self._source, *arguments)
            else:
                then(answer)

        pipe.tell(heard, b"EVALSHA", self._sha, *arguments)

    async def run(self, pipe: RedisPipe, *arguments: Word) -> object:
        """The same, awaited: its answer; RedisDownError or hiredis.ReplyError."""
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.tell(pipe, partial(settle, answer), *arguments)
        return await answer

"""A script that Redis knows by its hash, and is told again where it has forgotten it."""

import hashlib
from importlib.resources import files
from typing import Final

import hiredis

from flotilla_gateway.limits.pipe import RedisPipe, Word

_UNKNOWN: Final = "NOSCRIPT"


class Script:
    """One Lua script of this package."""

    def __init__(self, package: str, name: str) -> None:
        self._source = (files(package) / name).read_bytes()
        # Redis names scripts by SHA-1.
        self._sha = hashlib.sha1(self._source, usedforsecurity=False).hexdigest().encode()

    async def run(self, pipe: RedisPipe, *arguments: Word) -> object:
        """Its answer; `arguments` begin with the number of keys. RedisDownError or hiredis.ReplyError."""
        try:
            return await pipe.ask(b"EVALSHA", self._sha, *arguments)
        except hiredis.ReplyError as error:
            if not str(error).startswith(_UNKNOWN):
                raise
        return await pipe.ask(b"EVAL", self._source, *arguments)

"""Rate-limit classes and decisions."""

import asyncio
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Final

import msgspec
from flotilla.security.revocations import key as revocation_key

from flotilla_gateway.forward.headers import Header
from flotilla_gateway.limits.pipe import RedisPipe, Word, settle
from flotilla_gateway.limits.script import Script

_SCRIPT: Final = Script("flotilla_gateway.limits", "gcra.lua")
_MICROSECONDS: Final = 1_000_000
LONGEST_NAME: Final = 160


class Verdict(Enum):
    """What a request may."""

    ALLOWED = auto()
    LIMITED = auto()
    REVOKED = auto()
    BLOCKED = auto()
    UNDECIDED = auto()
    """Redis is down."""


@dataclass(frozen=True, slots=True)
class LimitClass:
    """A budget: this many requests, all at once if need be, spread over so many seconds."""

    name: str
    requests: int
    seconds: int
    closed_when_undecided: bool = False
    """Refuse while Redis is down: guessing passwords must not become free."""
    words: tuple[str, str, bytes] = field(init=False, repr=False, compare=False)
    """The script's arguments, and the policy's header."""

    def __post_init__(self) -> None:
        words = (str(self.requests), str(self.seconds * _MICROSECONDS), self.policy)
        object.__setattr__(self, "words", words)

    @classmethod
    def parse(cls, name: str, text: str, *, closed_when_undecided: bool = False) -> "LimitClass":
        """`requests/seconds`, as settings write it."""
        requests, _, seconds = text.partition("/")
        return cls(name, int(requests), int(seconds), closed_when_undecided)

    @property
    def policy(self) -> bytes:
        """`RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers section 3)."""
        return f'"{self.name}";q={self.requests};w={self.seconds}'.encode()


class Decision(msgspec.Struct, frozen=True):
    """What Redis said."""

    verdict: Verdict
    headers: tuple[Header, ...] = ()
    retry_after: int = 0
    """Seconds."""
    remaining: int = 0
    """Of the budget."""


class Question(msgspec.Struct, frozen=True):
    """May this request go on?"""

    budget: LimitClass
    name: str
    """Whose budget it is."""
    session: str | None = None
    """Which may have been revoked."""
    block: str | None = None
    """Where the block of the caller's address would be."""
    further: "tuple[tuple[LimitClass, str], ...]" = ()
    """Budgets that it counts in as well, and whose they are: it may go on where all have room."""


_ALLOWED: Final = Verdict.ALLOWED
"""Looked up once: an enumeration's member costs a tenth of a microsecond each time, and each request is allowed."""
_UNDECIDED: Final = Decision(Verdict.UNDECIDED)
_REVOKED: Final = Decision(Verdict.REVOKED)


class Limiter:
    """Asks Redis once a request."""

    def __init__(self, pipe: RedisPipe, classes: Mapping[str, LimitClass]) -> None:
        self._pipe = pipe
        self.classes = classes

    async def decide(self, limit: str, name: str, session: str | None = None) -> Decision:
        """Count one request of `name` in the class `limit`, unless the session was revoked."""
        return await self.answer(Question(self.classes[limit], name, session))

    async def answer(self, question: Question) -> Decision:
        """What Redis says to it."""
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.ask(question, partial(settle, answer))
        decision = await answer
        assert isinstance(decision, Decision)
        return decision

    def ask(self, question: Question, then: Callable[[Decision], None]) -> None:
        """The same; `then` hears it, at once where Redis is down. It must not raise."""
        if not self._pipe.is_up:
            then(_UNDECIDED)
            return
        budget, session, block = question.budget, question.session, question.block
        requests, period, _ = budget.words
        keys: tuple[str, ...] = (bucket_key(budget.name, question.name),)
        rates: tuple[str, ...] = (requests, period)
        for other, whose in question.further:
            keys = (*keys, bucket_key(other.name, whose))
            rates = (*rates, *other.words[:2])
        if session is not None:
            keys = (*keys, revocation_key(session))
        if block is not None:
            keys = (*keys, block)
        arguments: tuple[Word, ...] = (len(keys), *keys, *rates)
        _SCRIPT.tell(self._pipe, lambda answer: then(_decision(question, answer)), *arguments)


def _decision(question: Question, answer: object) -> Decision:
    """What the script's answer means."""
    if not isinstance(answer, list):
        return _UNDECIDED
    verdict, wait, *states = answer
    if verdict < 0:
        if question.session is not None and verdict == -1:
            return _REVOKED
        return Decision(Verdict.BLOCKED, retry_after=max(1, math.ceil(wait / _MICROSECONDS)))
    budget, remaining = question.budget, states[0]
    limits, policies = _state(budget, *states[:2]), budget.words[2]
    for at, (other, _) in enumerate(question.further, start=1):
        limits += b", " + _state(other, *states[2 * at : 2 * at + 2])
        policies += b", " + other.words[2]
    headers = ((b"ratelimit", limits), (b"ratelimit-policy", policies))
    if verdict:
        return Decision(_ALLOWED, headers, remaining=remaining)
    return Decision(Verdict.LIMITED, headers, max(1, math.ceil(wait / _MICROSECONDS)))


def _state(budget: LimitClass, remaining: int, reset: int) -> bytes:
    """`RateLimit` of one budget; `reset` in microseconds."""
    return b'"%b";r=%d;t=%d' % (budget.name.encode(), remaining, math.ceil(reset / _MICROSECONDS))


def bucket_key(limit: str, name: str) -> str:
    """Where a budget is kept; long names (a path can be long) by their hash."""
    if len(name) > LONGEST_NAME:
        name = hashlib.blake2b(name.encode(), digest_size=20).hexdigest()
    return f"gateway:limit:{limit}:{name}"

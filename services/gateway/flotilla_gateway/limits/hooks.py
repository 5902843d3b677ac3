"""Hooks and links: each account's budget under one name, however it is spelt, and callers whose paths lead nowhere.

An account's budget is generous, so that no customer's message is refused; whoever invents paths would have a new one
with each. So what a service rejects also spends a small budget of the address it came from. Once that is used up, the
address is refused at paths at which nothing of it was taken lately: a vendor sends for many accounts from the same
addresses, and goes on for those that were set up right, whatever others got wrong. What it is refused meanwhile it
sends again, as vendors do. For the same reason none of it counts towards a block of the address (`abuse.watch`).
"""

import time
from collections import OrderedDict
from typing import Final, NamedTuple
from urllib.parse import unquote
from uuid import UUID

from flotilla.problems import TooManyRequestsError

from flotilla_gateway.edge.clients import Caller
from flotilla_gateway.forward.headers import Header
from flotilla_gateway.limits.limiter import Decision, Limiter, Question, Verdict
from flotilla_gateway.routing import Operation

HOOK: Final = "hook"
"""The class of channels' webhooks and of links in messages."""
REJECTED: Final = "hook_rejected"
"""The class in which what services reject of them counts, by address."""
REJECTIONS: Final = frozenset({400, 401, 403, 404, 422})
"""What is answered where there is no such account, or the caller does not prove to be it. 410 is none: an account that
was disconnected is known."""
FIRST_BAD: Final = 400
MOST_KNOWN: Final = 20_000
MOST_CLOSED: Final = 10_000


class _Closed(NamedTuple):
    """An address whose rejections are used up."""

    until: float
    """By `time.monotonic`."""
    headers: tuple[Header, ...]


class Hooks:
    """Of one process; what is spent stands in Redis, for all. A process that has just begun knows no caller yet."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._closed: dict[str, _Closed] = {}

    def question(self, operation: Operation, path: bytes, caller: Caller) -> Question:
        """What to ask Redis; a 429 problem where too much of what this address sent was rejected."""
        name = name_of(operation, path)
        if self._closed:
            self._check(operation, name, caller)
        return Question(self._limiter.classes[HOOK], name)

    def ended(self, operation: Operation, name: str, caller: Caller, status: int) -> None:
        """A request of this account's name was answered with this status."""
        if status < FIRST_BAD:
            self._known[caller.bucket, name] = None
            self._known.move_to_end((caller.bucket, name))
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        elif status in REJECTIONS:
            spender = _spender(operation, caller)
            budget = self._limiter.classes[REJECTED]
            self._limiter.ask(Question(budget, spender), lambda decision: self._close(spender, decision))

    def _check(self, operation: Operation, name: str, caller: Caller) -> None:
        closed = self._closed.get(spender := _spender(operation, caller))
        if closed is None or (caller.bucket, name) in self._known:
            return
        wait = closed.until - time.monotonic()
        if wait <= 0:
            del self._closed[spender]
            return
        headers = {key.decode(): value.decode() for key, value in closed.headers}
        raise TooManyRequestsError(
            "Too much of what came from your address lately leads nowhere, or proves nothing.",
            headers={**headers, "retry-after": str(int(wait) + 1)},
        )

    def _close(self, spender: str, decision: Decision) -> None:
        if decision.verdict is Verdict.LIMITED:
            if len(self._closed) >= MOST_CLOSED:
                self._closed.clear()  # Whoever goes on is found again by the next rejection.
            self._closed[spender] = _Closed(time.monotonic() + decision.retry_after, decision.headers)


def name_of(operation: Operation, path: bytes) -> str:
    """Whose budget it is: the route and its parameters, each in its one plain spelling."""
    segments = path.split(b"/")
    values = [_plain(segments[at]) for at in operation.parameters]
    return f"{operation.template}:{'/'.join(values)}"


def _plain(segment: bytes) -> str:
    """Decoded, and of a UUID's many spellings (capitals, without hyphens, `urn:uuid:`, braces) the usual one."""
    text = unquote(segment.decode("latin-1"))
    try:
        return str(UUID(text))
    except ValueError:
        return text


def _spender(operation: Operation, caller: Caller) -> str:
    """Of each route apart: links that somebody makes up keep no vendor out, nor anybody from unsubscribing."""
    return f"{operation.template}:{caller.bucket}"

"""Screens anonymous requests: whoever looks like a machine that tries many shows that each is worth some work.

Only routes that begin something without any secret are screened (`is_screened`), and only callers that give a reason:
no user agent, that of a known attack tool, half of the address's budget used up, or a route that many addresses
hurry to at once. Webhooks of channels never are.
"""

import re
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import hiredis
import msgspec

from flotilla_gateway import metrics
from flotilla_gateway.abuse.work import LIFETIME_SECONDS, Work
from flotilla_gateway.edge.clients import Caller
from flotilla_gateway.limits.limiter import Decision, LimitClass
from flotilla_gateway.limits.pipe import RedisDownError, RedisPipe
from flotilla_gateway.problems import ProofOfWorkRequiredError
from flotilla_gateway.routing import Operation

HEADER: Final = b"x-proof-of-work"
SCREENED: Final = "sign_in"
"""The class of routes at which people come in."""
PROVEN: Final = frozenset({"/v1/oauth/token", "/v1/tokens/refresh"})
"""Of them, those that take a secret of 256 bits, where trying many is of no use and programs call by the clock."""
WINDOW_SECONDS: Final = 60.0

_TOOLS: Final = re.compile(
    rb"sqlmap|nikto|nmap|masscan|zgrab|nuclei|gobuster|dirbuster|dirb\b|wpscan|hydra|acunetix|nessus|openvas|w3af"
    rb"|feroxbuster|ffuf|wfuzz|havij|zmeu|arachni|jorgee|morfeus|whatweb|commix|xsser|patator|medusa",
    re.IGNORECASE,
).search


@lru_cache(maxsize=4096)
def is_tool(agent: bytes) -> bool:
    """Whether it says of itself that it attacks, or says nothing."""
    return not agent.strip() or _TOOLS(agent) is not None


def is_screened(operation: Operation) -> bool:
    """Whether anybody may begin something here."""
    return operation.public and operation.limit == SCREENED and operation.template not in PROVEN


class Pressure:
    """How many come to each route, in this process, a window at a time."""

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._counts: dict[str, tuple[float, int]] = {}

    def rises(self, route: str) -> bool:
        """Count one; whether more than the threshold came since the window began."""
        now = time.monotonic()
        since, count = self._counts.get(route, (now, 0))
        if now - since > WINDOW_SECONDS:
            since, count = now, 0
        self._counts[route] = (since, count + 1)
        return count >= self._threshold


class Screen:
    """Of one process."""

    def __init__(self, pipe: RedisPipe, work: Work, route_requests: int, *, enabled: bool) -> None:
        """`route_requests`: how many a minute to one route are nothing unusual."""
        self._pipe = pipe
        self._work = work
        self._pressure = Pressure(route_requests)
        self._enabled = enabled

    async def check(
        self,
        operation: Operation,
        caller: Caller,
        fields: Mapping[bytes, bytes],
        budget: LimitClass,
        decision: Decision,
    ) -> None:
        """A 428 problem with a challenge, where the caller gives a reason and solves none."""
        if not self._enabled or caller.block is None or not is_screened(operation):
            return
        hurried = self._pressure.rises(operation.template)
        used = bool(decision.headers) and decision.remaining * 2 < budget.requests
        if not (hurried or used or is_tool(fields.get(b"user-agent", b""))):
            return
        written = fields.get(HEADER)
        if written is None:
            raise self._asking("asked", caller, operation)
        name = self._work.solved(written, caller.bucket, operation.template)
        if name is None or not await self._use(name):
            raise self._asking("wrong", caller, operation)
        metrics.CHALLENGES.labels("solved").inc()

    async def _use(self, name: str) -> bool:
        """Whether nobody used this solution before. While Redis is away nobody can say: signing in is closed then."""
        words = (f"gateway:solved:{name}", b"1", "NX", "EX", LIFETIME_SECONDS)
        try:
            return await self._pipe.ask(b"SET", *words) is not None
        except (RedisDownError, hiredis.ReplyError):
            return False

    def _asking(self, outcome: str, caller: Caller, operation: Operation) -> ProofOfWorkRequiredError:
        metrics.CHALLENGES.labels(outcome).inc()
        challenge = self._work.ask(caller.bucket, operation.template)
        return ProofOfWorkRequiredError(
            "Solve the challenge and send the request again, with the solution in X-Proof-Of-Work. It is good once, "
            f"for {LIFETIME_SECONDS} seconds, from this address.",
            challenge=msgspec.to_builtins(challenge),
        )

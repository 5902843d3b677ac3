"""Sending webhooks: Standard Webhooks 1.0, an event a request, its id the event's."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from flotilla.outside_http import (
    CircuitOpenError,
    OutsideHttp,
    OutsideResponse,
    OutsideUncertainError,
    OutsideUnreachableError,
)
from flotilla.public_addresses import REFUSED, is_called_openly

from flotilla_integrations.partners import secrets
from flotilla_integrations.partners.broker import CONTENT_TYPE
from flotilla_integrations.partners.domain import Attempt, Letter, Secrets

AT_ONCE: Final = 8
"""Requests to one endpoint at a time."""
FAILURES_A_TURN: Final = 3
"""After so many the endpoint is left alone for a while, whatever else is due."""
TURN_SECONDS: Final = 40.0
"""After which a turn begins no further request."""
CLIPPED: Final = 1000
"""Characters of an answer that are kept."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the events of a subscription go."""

    url: str
    kept: Secrets
    seconds: float
    """How long it may take to answer."""
    trusted: bool
    """Whether it may be in a private network."""


async def send(
    http: OutsideHttp, endpoint: Endpoint, letters: Sequence[tuple[Letter, bytes]]
) -> list[Attempt]:
    """Send these, some at a time: what came of those that were tried."""
    waiting = deque(letters)
    attempts: list[Attempt] = []
    # Breakers of its own: what is the matter with one endpoint is nothing to others of the same host.
    alone = OutsideHttp(http.session)
    until = time.monotonic() + TURN_SECONDS

    async def work() -> None:
        while waiting and time.monotonic() < until and _failures(attempts) < FAILURES_A_TURN:
            letter, body = waiting.popleft()
            attempts.append(await _send(alone, endpoint, letter, body))

    await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(letters)))))
    return attempts


def _failures(attempts: Sequence[Attempt]) -> int:
    return sum(not each.delivered for each in attempts)


async def _send(http: OutsideHttp, endpoint: Endpoint, letter: Letter, body: bytes) -> Attempt:
    if not endpoint.trusted and not is_called_openly(endpoint.url):
        return Attempt(letter, delivered=False, error=REFUSED)
    headers = secrets.sign(endpoint.kept, str(letter.event_id), datetime.now(UTC), body)
    headers |= {"Content-Type": CONTENT_TYPE}
    if letter.position is not None:
        headers["flotilla-position"] = str(letter.position)
    began = time.monotonic()
    try:
        answer = await http.request("POST", endpoint.url, body=body, headers=headers, limit=endpoint.seconds)
    except CircuitOpenError as error:
        return Attempt(letter, delivered=False, error=str(error), counts=False)
    except (OutsideUnreachableError, OutsideUncertainError) as error:
        return Attempt(letter, delivered=False, milliseconds=_since(began), error=str(error))
    return _read(letter, answer, _since(began))


def _read(letter: Letter, answer: OutsideResponse, milliseconds: int) -> Attempt:
    return Attempt(
        letter,
        delivered=200 <= answer.status < 300,
        status=answer.status,
        milliseconds=milliseconds,
        response=answer.body[: 4 * CLIPPED].decode(errors="replace").replace("\x00", "")[:CLIPPED],
        error=None if 200 <= answer.status < 300 else f"It answered {answer.status}.",
        retry_after=_retry_after(answer),
    )


def _retry_after(answer: OutsideResponse) -> timedelta | None:
    """In seconds; a date is not looked at: the schedule will do."""
    said = next((value for name, value in answer.headers.items() if name.lower() == "retry-after"), "")
    return timedelta(seconds=int(said)) if said.isascii() and said.isdigit() and len(said) < 7 else None


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)

"""Calls of many people, each with what must come of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from flotilla.testing.harness import Answer

from tests.e2e.cast import Member

Case = Callable[[], Awaitable[None]]
AT_ONCE: Final = 24


class Matrix:
    """Calls, what must come of each, and what came otherwise."""

    def __init__(self) -> None:
        self.wrong: dict[str, object] = {}
        self.made = 0
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def call(
        self,
        member: Member,
        method: str,
        path: str,
        body: Any,
        expected: str,
        said: str,
        right: Callable[[Answer], bool],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """One call, and whether it came out right."""
        async with self._gate:
            answer = await member.person.call(method, path, body, headers=headers)
        self.made += 1
        if not right(answer):
            self.wrong[f"{said} by {member.role}"] = (expected, answer.status, answer.body[:150])


def refused(answer: Answer) -> bool:
    """403 because of what the role may."""
    return answer.status == 403 and answer.json()["type"].endswith("/forbidden")


def hidden(answer: Answer) -> bool:
    """As if it did not exist."""
    return answer.status == 404


def let_in(answer: Answer) -> bool:
    """Whatever came of it, it was not for what the role may."""
    return answer.status != 401 and answer.status < 500 and not refused(answer)


def shown(answer: Answer) -> bool:
    """It was there, and theirs to do; what it is, or what was asked, may forbid it all the same (409, 410, 422)."""
    return let_in(answer) and answer.status != 404


def came(*statuses: int) -> Callable[[Answer], bool]:
    """One of these, and no other."""

    def right(answer: Answer) -> bool:
        return answer.status in statuses and not refused(answer)

    return right


def done(answer: Answer) -> bool:
    """It was done."""
    return answer.status < 300

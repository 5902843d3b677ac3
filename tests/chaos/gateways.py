"""Both gateways as a balancer in front of them sees them, and what callers were answered, judged.

A request goes to one gateway, and to the other where that takes no connection. While something dies a caller may find
the connection broken, be told that the service broke off or did not answer in time (502, 504), or that it is away and
when to come again (503 with Retry-After). Nothing excuses anything else: no 500, and no 503 that leaves them guessing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec

BROKEN_OFF: Final = (502, 504)
AWAY: Final = 503


@dataclass(frozen=True)
class Answered:
    """What a caller was told."""

    status: int
    headers: Mapping[str, str]
    """Their names in whatever case."""
    body: bytes

    @property
    def excused(self) -> bool:
        """Whether the death of what was asked excuses it."""
        return self.status in BROKEN_OFF or (self.status == AWAY and "Retry-After" in self.headers)

    @property
    def sequence(self) -> int:
        """That of the thing, as its ETag says it."""
        return int(self.headers["ETag"].strip('"'))

    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)


class Gateways:
    """Two addresses, asked in turn. Each request has a connection of its own, as a balancer's may have."""

    def __init__(self, session: aiohttp.ClientSession, addresses: Sequence[str]) -> None:
        self.failures: Counter[str] = Counter()
        """Whatever was no success, in the same words for each of many: nothing, while nothing dies."""
        self.surprises: Counter[str] = Counter()
        """Those of them that no death excuses."""
        self._session = session
        self._addresses = addresses
        self._asked = 0

    async def ask(
        self,
        method: str,
        path: str,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        fine: Sequence[int] = (),
    ) -> Answered | None:
        """The answer, where it is a success or one of those that are `fine`; else None, and it is written down."""
        self._asked += 1
        first = self._asked % 2
        for address in (self._addresses[first], self._addresses[1 - first]):
            try:
                async with self._session.request(method, address + path, json=json, headers=headers) as told:
                    answered = Answered(told.status, told.headers, await told.read())
                    route = told.url.path
            except aiohttp.ClientConnectorError:
                continue  # it takes no connections: a balancer goes to the other one
            except (aiohttp.ClientError, TimeoutError) as error:
                self.failures[f"{method} {_resource(path)}: {error!r}"] += 1
                return None
            if answered.status < 300 or answered.status in fine:
                return answered
            self._note(f"{method} {_resource(route)}", answered)
            return None
        return None

    def _note(self, what: str, answered: Answered) -> None:
        said = answered.body.partition(b',"request_id"')[0][:200]
        words = f"{what}: {answered.status} {said!r}"
        self.failures[words] += 1
        if not answered.excused:
            self.surprises[words] += 1


def _resource(path: str) -> str:
    """Without ids: names are few."""
    return "/".join(path.partition("?")[0].split("/")[:3])

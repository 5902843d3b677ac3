"""What a register is to kyb: it is asked about an identity, in turns, and every raw answer is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol

import msgspec
from flotilla.bus.declare import RetryLater
from flotilla.outside_http import OutsideError, OutsideHttp, OutsideResponse

from flotilla_kyb.domain.identity import Identity
from flotilla_kyb.sources.pace import Pace

LONGEST_REST: Final = timedelta(hours=1)
LONGEST_FIELD: Final = 500
TOO_MANY: Final = 429


class SourceDownError(Exception):
    """The register, or the part of it named by `scope`, does not answer: nothing is known by it."""

    def __init__(self, reason: str, scope: str = "") -> None:
        super().__init__(reason)
        self.scope = scope


class SourceRefusedError(Exception):
    """The register answers and does not take this question: asking again is of no use."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and the answer to it, byte for byte."""

    request: str
    status: int
    media_type: str
    body: bytes
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What a register says of an identity."""

    valid: bool
    fields: Mapping[str, str | None]
    scope: str = ""
    """The part of it that answered."""
    reason: str | None = None


@dataclass
class Asking:
    """One job's questions to one register."""

    http: OutsideHttp
    pace: Pace
    limit: float
    """Seconds for each question."""
    busy: float
    exchanges: list[Exchange] = field(default_factory=list)

    async def ask(self, method: str, url: str, json: Any = None, accept: str = "application/json") -> Any:
        """The status and decoded answer of one question, in its turn.

        RetryLater where the register wants to be left alone for a while; SourceDownError where it gives no
        answer that can be read. It is not repeated here: the job is, later.
        """
        await self.pace.turn()
        try:
            response = await self.http.request(
                method,
                url,
                json=json,
                headers={"Accept": accept},
                limit=self.limit,
                repeatable=False,
            )
        except OutsideError as error:
            raise SourceDownError("It cannot be reached, or does not answer.") from error
        self._keep(method, url, json, response)
        if response.status == TOO_MANY:
            await self.rest(_retry_after(response.headers))
        try:
            return response.status, response.json()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if response.status >= 500:
                raise SourceDownError(f"It answers with HTTP {response.status}.") from error
            raise SourceDownError("Its answer cannot be read.") from error

    async def rest(self, after: timedelta | None = None) -> None:
        """Leave the register alone, all of us, and come back with RetryLater."""
        wait = min(after or timedelta(seconds=self.busy), LONGEST_REST)
        await self.pace.rest(wait)
        raise RetryLater(wait, "The register asks to come back later.")

    def _keep(self, method: str, url: str, json: Any, response: OutsideResponse) -> None:
        question = f"{method} {url}" + (f" {msgspec.json.encode(json).decode()}" if json is not None else "")
        media_type = response.headers.get("Content-Type", "application/octet-stream").partition(";")[0]
        self.exchanges.append(
            Exchange(question, response.status, media_type, response.body, datetime.now(UTC))
        )


class Source(Protocol):
    """A register."""

    @property
    def name(self) -> str:
        """As kyb calls it."""

    @property
    def pace(self) -> Pace:
        """Its turns."""

    async def ask(self, asking: Asking, identity: Identity) -> Answer:
        """What it says of this; SourceDownError, SourceRefusedError, RetryLater."""


def told(value: object) -> str | None:
    """A text of a register on one line, None where it says nothing."""
    if not isinstance(value, str):
        return None
    line = ", ".join(" ".join(part.split()) for part in value.splitlines() if part.strip())
    line = "".join(sign for sign in line if sign.isprintable())
    return line[:LONGEST_FIELD] if line.strip("- ") else None


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """RFC 9110 section 10.2.3: seconds or a date."""
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if said.isdigit():
        return timedelta(seconds=min(int(said), LONGEST_REST.total_seconds()))
    try:
        wait = parsedate_to_datetime(said) - datetime.now(UTC)
    except (ValueError, TypeError):
        return None
    return max(wait, timedelta(seconds=1))

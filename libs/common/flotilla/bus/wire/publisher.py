"""Publishing: many messages in one write, confirms counted, what was returned or refused named."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import structlog
from pamqp import commands

from flotilla.bus.wire.connection import WireConnection
from flotilla.bus.wire.errors import WireError
from flotilla.bus.wire.frames import FRAME_OVERHEAD, Message, append_message

log = structlog.get_logger()

WRITE_BYTES: Final = 256 * 1024
"""About so much is given to the network at once; then it is asked whether it can take more."""
_OPEN, _ACKED, _NACKED = b"\x00", b"\x01", b"\x02"


@dataclass(eq=False)
class Flight:
    """Messages that were published together, until the broker has answered for each."""

    messages: Sequence[Message]
    landed: "asyncio.Future[None]"
    first_tag: int = 0
    written: int = 0
    answered: int = 0
    """All below it are answered; those above may be."""
    left: int = field(init=False)
    answers: bytearray = field(init=False)
    returned: set[int] = field(default_factory=set)
    reason: str = ""
    """The broker's words for the last one it returned or refused."""

    def __post_init__(self) -> None:
        self.left = len(self.messages)
        self.answers = bytearray(self.left)

    def answer(self, tag: int, multiple: bool, acked: bool) -> None:
        """The broker's word on one message, or on it and all before it."""
        index = tag - self.first_tag
        if index < 0:
            return
        first, last = (self.answered if multiple else index), min(index + 1, self.written)
        span = self.answers[first:last]
        self.left -= span.count(_OPEN)
        self.answers[first:last] = span.replace(_OPEN, _ACKED if acked else _NACKED)
        if multiple:
            self.answered = max(self.answered, last)
        if not acked:
            self.reason = "refused by the broker"
        if not self.left and not self.landed.done():
            self.landed.set_result(None)

    def give_back(self, message_id: str, reason: str) -> bool:
        """Whether it is one of these; its confirm comes all the same."""
        for index, message in enumerate(self.messages):
            if str(message.id) == message_id and index not in self.returned:
                self.returned.add(index)
                self.reason = reason
                return True
        return False

    def receipt(self) -> "Receipt":
        """What became of them, as far as is known."""
        delivered, refused = [], 0
        for index, answer in enumerate(self.answers):
            if answer == _ACKED[0] and index not in self.returned:
                delivered.append(index)
            elif answer:
                refused += 1
        return Receipt(delivered, refused, len(self.messages) - len(delivered) - refused, self.reason)


@dataclass(frozen=True)
class Receipt:
    """What became of a batch."""

    delivered: list[int]
    """Which of the messages the broker has, by index."""
    refused: int
    """Returned, because nobody listens for them, or refused."""
    unanswered: int
    reason: str


class Publisher(WireConnection):
    """Publishes persistent, mandatory messages; several callers may at once."""

    def __init__(self) -> None:
        super().__init__()
        self._next_tag = 1
        self._flights: list[Flight] = []
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, url: str, name: str) -> Self:
        """One that is connected."""
        publisher = cls()
        await publisher.connect(url, name)
        return publisher

    async def prepare(self) -> None:
        """Have everything confirmed."""
        await self._call(commands.Confirm.Select(), commands.Confirm.SelectOk)

    async def publish(self, exchange: str, messages: Sequence[Message], *, seconds: float) -> Receipt:
        """Publish in this order and wait for the confirms, at most so long; WireError on a closed connection.

        A connection that is lost meanwhile, or a broker that keeps silent, leaves messages unanswered.
        """
        if self.error is not None:
            raise self.error
        if not messages:
            return Receipt([], 0, 0, "")
        flight = Flight(messages, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(seconds):
                async with self._writing:
                    await self._write(exchange, flight)
                await flight.landed
        except TimeoutError:
            flight.reason = flight.reason or f"no answer within {seconds} s"
        except WireError as error:
            flight.reason = repr(error)
        finally:
            with contextlib.suppress(ValueError):
                self._flights.remove(flight)
        return flight.receipt()

    async def _write(self, exchange: str, flight: Flight) -> None:
        await self._until_free()
        flight.first_tag = self._next_tag
        self._flights.append(flight)
        largest = self.frame_max - FRAME_OVERHEAD
        out: list[bytes] = []
        size = 0
        for index, message in enumerate(flight.messages, 1):
            append_message(out, exchange, message, largest)
            size += len(message.body)
            if size >= WRITE_BYTES or index == len(flight.messages):
                self._next_tag = flight.first_tag + index
                flight.written = index
                self._transport.write(b"".join(out))
                out, size = [], 0
                await self._until_free()

    def on_confirm(self, tag: int, multiple: bool, acked: bool) -> None:
        """Tags of flights that were given up are nobody's."""
        for flight in self._flights:
            flight.answer(tag, multiple, acked)

    def on_return(self, message_id: str, reason: str) -> None:
        """Comes before the confirm of the same message."""
        if not any(flight.give_back(message_id, reason) for flight in self._flights):
            log.warning("broker.returned", message_id=message_id, reason=reason)

    def on_failure(self, error: WireError) -> None:
        """Whoever waits for confirms waits no longer."""
        for flight in self._flights:
            flight.reason = repr(error)
            if not flight.landed.done():
                flight.landed.set_result(None)

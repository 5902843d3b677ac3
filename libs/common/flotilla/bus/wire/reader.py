"""Bytes in: cut into frames in one pass, deliveries and confirms read in place, the rest left to pamqp."""

import struct
from struct import Struct
from typing import Final, NamedTuple, Protocol

from pamqp import base, commands, frame, header
from pamqp.exceptions import PAMQPException

from flotilla.bus.wire.errors import MalformedError
from flotilla.bus.wire.frames import (
    BODY,
    CHANNEL,
    FRAME_END,
    FRAME_HEAD,
    FRAME_MAX,
    FRAME_OVERHEAD,
    HEADER,
    HEARTBEAT,
    METHOD,
)

_INDEX: Final = Struct(">I")
_TAG: Final = Struct(">QB")
_CONTENT: Final = Struct(">HHQH")
_DELIVER, _RETURN, _ACK, _NACK = 0x3C003C, 0x3C0032, 0x3C0050, 0x3C0078
_COUNT: Final = "x-delivery-count"


class Delivery(NamedTuple):
    """A message, whole."""

    tag: int
    before: int
    """How often it was delivered before, as far as the broker says: 0 for a fresh one."""
    body: bytes


class Sink(Protocol):
    """Who is told."""

    def on_deliveries(self, deliveries: list[Delivery]) -> None:
        """In the order in which they came; never empty."""

    def on_confirm(self, tag: int, multiple: bool, acked: bool) -> None:
        """The broker took a message (and all before it), or refused it."""

    def on_return(self, message_id: str, reason: str) -> None:
        """Nobody listens for this message."""

    def on_method(self, channel: int, method: base.Frame) -> None:
        """Anything else."""


class FrameReader:
    """The buffer that the transport fills, and what it says. Raises MalformedError."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray(2 * FRAME_MAX)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._ready: list[Delivery] = []
        self._begin()

    def _begin(self) -> None:
        """No message is under way."""
        self._tag = 0
        self._redelivered = 0
        self._returned: commands.Basic.Return | None = None
        self._message_id = ""
        self._awaits_header = False
        self._missing = 0
        self._parts: list[bytes] = []

    def space(self) -> memoryview:
        """Where the next bytes belong; there is always room for a whole frame."""
        return self._view[self._end :]

    def received(self, count: int) -> None:
        """So many bytes are there now."""
        self._end += count
        try:
            self._read_frames()
        except (struct.error, LookupError, TypeError, ValueError, PAMQPException) as error:
            raise MalformedError(f"a frame that cannot be read: {error}") from error
        if self._start == self._end:
            self._start = self._end = 0
        elif len(self._buffer) - self._end < FRAME_MAX:
            left = self._end - self._start
            self._buffer[:left] = self._buffer[self._start : self._end]
            self._start, self._end = 0, left
        if self._ready:
            ready, self._ready = self._ready, []
            self._sink.on_deliveries(ready)

    def _read_frames(self) -> None:
        buffer, end = self._buffer, self._end
        while end - self._start >= FRAME_OVERHEAD:
            start = self._start
            kind, channel, size = FRAME_HEAD.unpack_from(buffer, start)
            after = start + FRAME_OVERHEAD + size
            if size > FRAME_MAX - FRAME_OVERHEAD:
                raise MalformedError(f"a frame of {size} bytes")
            if after > end:
                return
            if buffer[after - 1] != FRAME_END:
                raise MalformedError("a frame that does not end where it says")
            self._start = after
            payload = start + FRAME_HEAD.size
            if kind == BODY:
                self._read_body(payload, after - 1)
            elif kind == METHOD:
                self._read_method(channel, start, payload, after)
            elif kind == HEADER:
                self._read_header(start, payload, after)
            elif kind != HEARTBEAT:
                raise MalformedError(f"a frame of kind {kind}")

    def _read_method(self, channel: int, start: int, payload: int, after: int) -> None:
        (index,) = _INDEX.unpack_from(self._buffer, payload)
        if channel == CHANNEL and (self._awaits_header or self._missing):
            raise MalformedError("a method within a message")
        if index == _DELIVER:
            at = payload + 4
            at += 1 + self._buffer[at]  # the consumer's tag
            if at + _TAG.size > after - 1:
                raise MalformedError("a delivery without a tag")
            self._tag, self._redelivered = _TAG.unpack_from(self._buffer, at)
            self._awaits_header = True
        elif index in (_ACK, _NACK):
            if after - 1 - payload != 4 + _TAG.size:
                raise MalformedError("a confirm without a tag")
            tag, flags = _TAG.unpack_from(self._buffer, payload + 4)
            self._sink.on_confirm(tag, bool(flags & 1), index == _ACK)
        else:
            method = _rare(self._view[start:after])
            assert isinstance(method, base.Frame)
            if isinstance(method, commands.Basic.Return):
                self._returned = method
                self._awaits_header = True
            else:
                self._sink.on_method(channel, method)

    def _read_header(self, start: int, payload: int, after: int) -> None:
        if not self._awaits_header:
            raise MalformedError("a content header out of place")
        self._awaits_header = False
        self._missing = _CONTENT.unpack_from(self._buffer, payload)[2]
        if self._redelivered or self._returned:  # only then are the properties worth the reading
            content = _rare(self._view[start:after])
            assert isinstance(content, header.ContentHeader)
            count = (content.properties.headers or {}).get(_COUNT)
            self._redelivered = count if isinstance(count, int) and count > 0 else self._redelivered
            self._message_id = content.properties.message_id or ""
        if not self._missing:
            self._finish(b"")

    def _read_body(self, payload: int, end: int) -> None:
        size = end - payload
        if not 0 < size <= self._missing:
            raise MalformedError("a body out of place, or longer than its header says")
        self._missing -= size
        part = bytes(self._view[payload:end])
        if self._missing:
            self._parts.append(part)
        elif self._parts:
            self._finish(b"".join((*self._parts, part)))
        else:
            self._finish(part)

    def _finish(self, body: bytes) -> None:
        if self._returned is not None:
            reason = f"{self._returned.reply_code} {self._returned.reply_text}"
            self._sink.on_return(self._message_id, reason)
            self._begin()
            return
        self._ready.append(Delivery(self._tag, self._redelivered, body))
        if self._parts:
            self._parts = []


def _rare(data: memoryview) -> object:
    return frame.unmarshal(bytes(data))[2]

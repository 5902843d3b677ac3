"""Messages ready to be sent: made once, shared by every socket that gets them."""

from functools import cached_property
from struct import pack
from typing import Final

import msgspec

from flotilla_websocket.domain.audience import tokens
from flotilla_websocket.domain.entry import Entry
from flotilla_websocket.domain.records import Record, record_of
from flotilla_websocket.domain.topics import topics_of
from flotilla_websocket.protocol import Ping, Resumed, Resync

_encoder: Final = msgspec.json.Encoder()

_TEXT: Final = 0x81
"""The last, and only, frame of a text message."""
_SIZE_16, _SIZE_64 = 126, 127
"""Where the size stands in the next two, or eight, bytes."""


class Frame:
    """One message."""

    def __init__(self, text: str) -> None:
        self.text = text
        """As it is said."""

    @cached_property
    def wire(self) -> bytes:
        """For WebSocket: one text frame, unmasked (RFC 6455 section 5.2)."""
        payload = self.text.encode()
        size = len(payload)
        if size < _SIZE_16:
            return bytes((_TEXT, size)) + payload
        if size < 1 << 16:
            return pack(">BBH", _TEXT, _SIZE_16, size) + payload
        return pack(">BBQ", _TEXT, _SIZE_64, size) + payload

    @cached_property
    def chunk(self) -> bytes:
        """For server-sent events."""
        return f"data: {self.text}\n\n".encode()


class EventFrame(Frame):
    """An event, with what decides who gets it."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f'{{"type":"event","id":"{entry.id}","event":{entry.event}}}')
        self.entry = entry
        self.audience = tokens(entry.audience)

    @cached_property
    def chunk(self) -> bytes:
        """With its id, which a browser sends back as Last-Event-ID."""
        return f"id: {self.entry.id}\ndata: {self.text}\n\n".encode()

    @cached_property
    def record(self) -> Record:
        """What it tells of."""
        return record_of(self.entry)

    @cached_property
    def topics(self) -> frozenset[str]:
        """Under which topics it is found."""
        return topics_of(self.entry)


class PingFrame(Frame):
    """A question over WebSocket; over server-sent events, which cannot answer, a comment."""

    @cached_property
    def chunk(self) -> bytes:
        """A line that clients ignore and proxies count as life."""
        return b": ping\n\n"


def frame(message: msgspec.Struct) -> Frame:
    """A message of the protocol."""
    return Frame(_encoder.encode(message).decode())


RESYNC: Final = frame(Resync())
RESUMED: Final = frame(Resumed())
PING: Final = PingFrame(frame(Ping()).text)

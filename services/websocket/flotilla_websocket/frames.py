"""Messages ready to be sent: made once, shared by every socket that gets them."""

from functools import cached_property
from typing import Final

import msgspec

from flotilla_websocket.domain.audience import tokens
from flotilla_websocket.domain.entry import Entry
from flotilla_websocket.domain.records import Record, record_of
from flotilla_websocket.domain.topics import topics_of
from flotilla_websocket.protocol import Ping, Resumed, Resync

_encoder: Final = msgspec.json.Encoder()


class Frame:
    """One message."""

    def __init__(self, text: str) -> None:
        self.text = text
        """For WebSocket."""

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

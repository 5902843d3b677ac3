"""Bytes out: what all messages to one routing key share is made once (section 4.2.3 and 4.2.6)."""

from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple
from uuid import UUID

from pamqp import commands, frame

CHANNEL: Final = 1
"""The only one of a connection."""
FRAME_MAX: Final = 128 * 1024
"""The largest frame we take; an event, at most 64 KiB, is one."""
FRAME_HEAD: Final = Struct(">BHI")
FRAME_OVERHEAD: Final = FRAME_HEAD.size + 1
FRAME_END: Final = 0xCE
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
HEARTBEAT_FRAME: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"

_END: Final = bytes([FRAME_END])
_SIZE: Final = Struct(">Q")
_FLAGS: Final = Struct(">H")
_BASIC: Final = b"\x00\x3c\x00\x00"
"""The class of a content header, and its weight, which is always 0."""
_CONTENT_TYPE, _DELIVERY_MODE, _MESSAGE_ID = 0x8000, 0x1000, 0x0080
_PERSISTENT: Final = 2
_ID_BYTES: Final = 36
"""A UUID as it is written (RFC 9562 section 4)."""
_ACK: Final = Struct(">BHIHHQBB")
_ACK_BYTES: Final = 13


class Message(NamedTuple):
    """A persistent message."""

    id: UUID
    routing_key: str
    body: bytes


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes([len(data)]) + data


_PROPERTIES: Final = (
    _FLAGS.pack(_CONTENT_TYPE | _DELIVERY_MODE | _MESSAGE_ID)
    + _short("application/cloudevents+json")
    + bytes([_PERSISTENT, _ID_BYTES])
)


@lru_cache(maxsize=4096)
def _head(exchange: str, routing_key: str) -> bytes:
    """Basic.Publish, mandatory, and the content header up to the body's size."""
    publish = commands.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=True)
    size = len(_BASIC) + _SIZE.size + len(_PROPERTIES) + _ID_BYTES
    return frame.marshal(publish, CHANNEL) + FRAME_HEAD.pack(HEADER, CHANNEL, size) + _BASIC


def append_message(out: list[bytes], exchange: str, message: Message, largest: int) -> None:
    """Add a message's frames; a body of more than `largest` bytes is split (section 4.2.6.2)."""
    body = message.body
    size = len(body)
    out += (
        _head(exchange, message.routing_key),
        _SIZE.pack(size),
        _PROPERTIES,
        str(message.id).encode("ascii"),
        _END,
    )
    for start in range(0, size, largest):
        part = body if size <= largest else body[start : start + largest]
        out += (FRAME_HEAD.pack(BODY, CHANNEL, len(part)), part, _END)


def ack_through(tag: int) -> bytes:
    """Basic.Ack of every delivery up to this one."""
    return _ACK.pack(METHOD, CHANNEL, _ACK_BYTES, 60, 80, tag, 1, FRAME_END)

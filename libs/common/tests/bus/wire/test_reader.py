"""Bytes in: however they are cut, the same is read; and what is no AMQP is refused, whatever it is."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from flotilla.bus.wire.errors import MalformedError
from flotilla.bus.wire.frames import CHANNEL, FRAME_MAX, HEARTBEAT_FRAME
from flotilla.bus.wire.reader import Delivery, FrameReader
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import base, body, commands, frame, header

from libs.common.tests.bus.wire.broker import contents, delivery, returned


@dataclass
class Heard:
    """What a reader said, in order."""

    said: list[Any] = field(default_factory=list)

    def on_deliveries(self, deliveries: list[Delivery]) -> None:
        assert deliveries
        self.said += deliveries

    def on_confirm(self, tag: int, multiple: bool, acked: bool) -> None:
        self.said.append(("confirm", tag, multiple, acked))

    def on_return(self, message_id: str, reason: str) -> None:
        self.said.append(("return", message_id, reason))

    def on_method(self, channel: int, method: base.Frame) -> None:
        self.said.append((channel, method.name))


def read(pieces: Iterable[bytes]) -> list[Any]:
    """What a reader makes of bytes that come like this; deliveries first, they are told at the end of a read."""
    heard = Heard()
    reader = FrameReader(heard)
    for piece in pieces:
        while piece:
            space = reader.space()
            now, piece = piece[: len(space)], piece[len(space) :]
            space[: len(now)] = now
            reader.received(len(now))
    return sorted(heard.said, key=lambda each: isinstance(each, Delivery))


STREAM = b"".join(
    [
        delivery(1, b"one"),
        HEARTBEAT_FRAME,
        frame.marshal(commands.Basic.Ack(7, True), CHANNEL),
        delivery(2, b"two", headers={"x-delivery-count": 3}, again=True),
        frame.marshal(commands.Basic.Nack(8), CHANNEL),
        returned("an id"),
        delivery(3, b""),
        delivery(4, b"again", again=True),
        frame.marshal(commands.Connection.Blocked("memory"), 0),
        delivery(5, b"last" * 50),
    ]
)
SAID = [
    ("confirm", 7, True, True),
    ("confirm", 8, False, False),
    ("return", "an id", "312 NO_ROUTE"),
    (0, "Connection.Blocked"),
    Delivery(1, 0, b"one"),
    Delivery(2, 3, b"two"),
    Delivery(3, 0, b""),
    Delivery(4, 1, b"again"),
    Delivery(5, 0, b"last" * 50),
]


def test_whole_and_byte_by_byte() -> None:
    assert read([STREAM]) == SAID
    assert read(STREAM[at : at + 1] for at in range(len(STREAM))) == SAID


@pytest.mark.parametrize("width", range(1, 40))
def test_in_pieces_of_every_width(width: int) -> None:
    assert read(STREAM[at : at + width] for at in range(0, len(STREAM), width)) == SAID


def test_cut_once_at_every_boundary() -> None:
    for at in range(len(STREAM)):
        assert read([STREAM[:at], STREAM[at:]]) == SAID


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=200_000), max_size=6), st.lists(st.integers(1, 150_000), min_size=1))
def test_bodies_of_any_size_in_any_pieces(bodies: list[bytes], widths: list[int]) -> None:
    stream = b"".join(delivery(tag, content) for tag, content in enumerate(bodies, 1))
    pieces: list[bytes] = []
    at = 0
    while at < len(stream):
        width = widths[len(pieces) % len(widths)]
        pieces.append(stream[at : at + width])
        at += width
    assert read(pieces) == [Delivery(tag, 0, content) for tag, content in enumerate(bodies, 1)]


def method(payload: bytes, channel: int = CHANNEL) -> bytes:
    return b"\x01" + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + b"\xce"


@pytest.mark.parametrize(
    "stream",
    [
        b"AMQP\x00\x00\x09\x01",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x01\x00\x01\x00\x00\x00\x04\x00\x3c\x00\x50\x00",  # ends wrongly
        HEARTBEAT_FRAME[:-1] + b"\xcd",
        b"\x09\x00\x01\x00\x00\x00\x00\xce",  # of no kind
        b"\x01\x00\x01" + FRAME_MAX.to_bytes(4, "big"),  # larger than was agreed
        method(b"\x00\x3c"),
        method(b"\x00\x3c\x00\x3c\xff"),  # a consumer tag that is longer than the frame
        method(b"\x00\x3c\x00\x3c\x01t\x00\x00"),
        method(b"\x00\x3c\x00\x50\x00\x00"),
        method(b"\x7f\x7f\x7f\x7f"),
        method(b"\x00\x0a\x00\x32\x00"),
        frame.marshal(body.ContentBody(b"stray"), CHANNEL),
        frame.marshal(header.ContentHeader(body_size=5), CHANNEL),
        delivery(1, b"") + frame.marshal(body.ContentBody(b"more"), CHANNEL),
        frame.marshal(commands.Basic.Deliver("tag", 1, False, "", ""), CHANNEL) * 2,
        delivery(1, b"three")[:-13] + frame.marshal(body.ContentBody(b"threefold"), CHANNEL),
        frame.marshal(commands.Basic.Deliver("tag", 1, True, "", ""), CHANNEL)
        + b"\x02\x00\x01\x00\x00\x00\x0f\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x20\x00\xff\xce",
    ],
)
def test_what_is_malformed_is_refused(stream: bytes) -> None:
    with pytest.raises(MalformedError):
        read([stream + HEARTBEAT_FRAME * 4])


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_bytes_are_refused_or_read_but_never_anything_else(data: st.DataObject) -> None:
    stream = bytearray(STREAM)
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MalformedError):
        read([bytes(stream)])


def test_a_body_in_many_frames_is_put_together() -> None:
    content = bytes(range(256)) * 4
    deliver = frame.marshal(commands.Basic.Deliver("tag", 9, False, "", ""), CHANNEL)
    stream = deliver + contents(content, largest=100) + delivery(10, b"next")
    assert read([stream]) == [Delivery(9, 0, content), Delivery(10, 0, b"next")]

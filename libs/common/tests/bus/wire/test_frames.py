"""Bytes out: pamqp reads back what was written."""

from flotilla.bus.wire.frames import CHANNEL, Message, ack_through, append_message
from flotilla.ids import new_id
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import body, commands, frame, header


def frames(data: bytes) -> list[object]:
    """As pamqp sees them; all on our channel."""
    found: list[object] = []
    while data:
        size, channel, each = frame.unmarshal(data)
        assert channel == CHANNEL
        found.append(each)
        data = data[size:]
    return found


@settings(deadline=None)
@given(st.binary(max_size=5000), st.integers(1, 2000), st.text("abc.é#", min_size=1, max_size=40))
def test_a_message_in_frames_no_larger_than_agreed(content: bytes, largest: int, key: str) -> None:
    out: list[bytes] = []
    event_id = new_id()
    append_message(out, "flotilla.events", Message(event_id, key, content), largest)
    publish, head, *bodies = frames(b"".join(out))
    assert isinstance(publish, commands.Basic.Publish)
    assert (publish.exchange, publish.routing_key, publish.mandatory) == ("flotilla.events", key, True)
    assert isinstance(head, header.ContentHeader)
    properties = head.properties
    assert (head.body_size, properties.message_id) == (len(content), str(event_id))
    assert (properties.delivery_mode, properties.content_type) == (2, "application/cloudevents+json")
    parts = [each.value or b"" for each in bodies if isinstance(each, body.ContentBody)]
    assert len(parts) == len(bodies)
    assert b"".join(parts) == content
    assert all(0 < len(part) <= largest for part in parts)


@given(st.integers(1, 2**63 - 1))
def test_an_ack(tag: int) -> None:
    (ack,) = frames(ack_through(tag))
    assert isinstance(ack, commands.Basic.Ack)
    assert (ack.delivery_tag, ack.multiple) == (tag, True)

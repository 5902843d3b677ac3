"""What is written within a turn of the loop goes out at its end, in order, and none of it is lost."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from flotilla_gateway.outgoing import LARGE, GatheredTransport, Outgoing

from services.gateway.tests.raw import connected
from services.gateway.tests.world import World


class Wire(asyncio.Transport):
    """Notes what it is told, as the system would be."""

    def __init__(self, told: list[object]) -> None:
        super().__init__()
        self.told = told
        self.closing = False

    def write(self, data: Any) -> None:
        self.told.append((self, bytes(data)))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        self.told.append((self, "close"))

    def abort(self) -> None:
        self.closing = True
        self.told.append((self, "abort"))

    def write_eof(self) -> None:
        self.told.append((self, "eof"))


class Torn(Wire):
    """Cannot be written to, and does not know it."""

    def write(self, data: Any) -> None:
        raise RuntimeError("the handler is closed")


async def test_what_a_turn_writes_goes_out_at_its_end_and_is_one_write_to_each() -> None:
    told: list[object] = []
    outgoing = Outgoing()
    one, other = Wire(told), Wire(told)
    first, second = GatheredTransport(one, outgoing), GatheredTransport(other, outgoing)
    first.write(b"a")
    second.write(b"b")
    first.write(b"c")
    second.writelines([b"d", b"e"])
    assert told == []
    await asyncio.sleep(0)
    assert told == [(one, b"ac"), (other, b"bde")]
    first.write(b"f")
    await asyncio.sleep(0)
    assert told[2:] == [(one, b"f")], "the next turn's go out at its own"


async def test_what_is_large_goes_at_once_behind_what_waited() -> None:
    told: list[object] = []
    wire = Wire(told)
    transport = GatheredTransport(wire, Outgoing())
    transport.write(b"head")
    transport.write(b"x" * LARGE)
    assert told == [(wire, b"head" + b"x" * LARGE)]
    await asyncio.sleep(0)
    assert len(told) == 1, "and not twice"


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (GatheredTransport.close, "close"),
        (GatheredTransport.abort, "abort"),
        (GatheredTransport.write_eof, "eof"),
        (GatheredTransport.plain, None),
    ],
)
async def test_what_was_written_goes_before_the_end(
    do: Callable[[GatheredTransport], object], said: str | None
) -> None:
    told: list[object] = []
    wire = Wire(told)
    transport = GatheredTransport(wire, Outgoing())
    transport.write(b"last words")
    do(transport)
    assert told == [(wire, b"last words"), *([(wire, said)] if said else [])]
    await asyncio.sleep(0)
    assert len(told) == (2 if said else 1)


async def test_who_is_gone_is_passed_over_and_keeps_nobody_from_what_is_theirs() -> None:
    told: list[object] = []
    outgoing = Outgoing()
    gone, torn, there = Wire(told), Torn(told), Wire(told)
    for wire in (gone, torn, there):
        GatheredTransport(wire, outgoing).write(b"for all")
    gone.closing = True
    await asyncio.sleep(0)
    assert told == [(torn, "abort"), (there, b"for all")]


async def test_who_writes_behind_the_end_hears_of_it_and_the_connection_can_be_closed() -> None:
    told: list[object] = []
    wire = Wire(told)
    transport = GatheredTransport(wire, Outgoing())
    transport.write_eof()
    with pytest.raises(RuntimeError):
        transport.write(b"too late")
    await asyncio.sleep(0)
    transport.close()
    assert told == [(wire, "eof"), (wire, "close")], "what was said before has not been cut off"


async def test_what_is_answered_goes_out_before_the_transport_of_a_caller_that_has_said_all_closes(
    edge: World,
) -> None:
    async with connected(edge.port) as caller:
        client = await edge.side_of(caller)
        real = client.transport.plain()
        client.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhere")
        client.eof_received()  # As a transport hears it in the same turn: with that it closes.
        real.close()
        assert (await caller.answer()).body == b"here"


async def test_a_connection_is_the_one_it_stands_for() -> None:
    heard = asyncio.get_running_loop().create_future()

    class Listener(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            heard.set_result(data)

    server = await asyncio.get_running_loop().create_server(Listener, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        real, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port)
        transport = GatheredTransport(real, Outgoing())
        assert transport.get_extra_info("peername")[1] == port
        assert transport.can_write_eof()
        assert transport.get_write_buffer_size() == 0
        transport.write(b"to be ")
        transport.write(b"heard")
        assert await heard == b"to be heard"
        transport.close()
        assert transport.is_closing()
        assert real.is_closing()

"""Connections that cannot be opened."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator

import pytest
from aio_pika import Connection
from flotilla.bus.connection import BROKER_ERRORS, connect
from flotilla.instance import HOST


@pytest.fixture(params=["nobody listens", "hangs up at once"])
async def away(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """The port of a broker that is none."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        if request.param == "nobody listens":
            yield taken.getsockname()[1]
            return
        async with await asyncio.start_server(lambda _, writer: writer.close(), sock=taken):
            yield taken.getsockname()[1]


async def test_one_that_failed_is_closed_while_its_error_is_still_kept(away: int) -> None:
    """So nothing is left to whichever thread collects it: aio-pika's would close itself there, without a loop."""
    with pytest.raises(BROKER_ERRORS) as refused:
        await connect(f"amqp://guest:guest@{HOST}:{away}/")
    made = [each for each in gc.get_objects() if issubclass(type(each), Connection)]
    assert [each.is_closed for each in made if each.url.port == away] == [True], refused

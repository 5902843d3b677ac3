"""How connections to a service are made where it has several replicas."""

import asyncio

from flotilla_gateway.forward.upstream import Upstream, UpstreamLimits

DEAD = "http://127.0.0.1:9"
"""Nobody listens there."""


async def test_those_who_dial_at_once_all_pass_a_replica_by_that_takes_no_connection() -> None:
    """Each goes through all addresses, whoever else turns them meanwhile."""

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    upstream = Upstream("things", f"{DEAD}|http://127.0.0.1:{port}", UpstreamLimits())
    try:
        connections = await asyncio.gather(*(upstream.dial() for _ in range(9)))
        assert {each.transport.get_extra_info("peername")[1] for each in connections} == {port}
    finally:
        upstream.close()
        server.close()

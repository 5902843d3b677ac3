"""What many write for a gateway: Starlette in front, aiohttp's client behind.

`python -m bench.peers.starlette_aiohttp PORT UPSTREAM`, with the upstream's port.
"""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

HOP_BY_HOP: Final = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"}


def application(upstream: int) -> Starlette:
    """Passes everything on, bodies as streams."""
    base = f"http://127.0.0.1:{upstream}"

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=256)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            app.state.session = session
            yield

    async def pass_on(request: Request) -> StreamingResponse:
        headers = {name: value for name, value in request.headers.items() if name not in HOP_BY_HOP}
        headers["x-forwarded-for"] = request.client.host if request.client else ""
        body = request.stream() if request.method == "POST" else None
        session: aiohttp.ClientSession = request.app.state.session
        answer = await session.request(request.method, base + request.url.path, headers=headers, data=body)
        passed = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}

        async def content() -> AsyncIterator[bytes]:
            try:
                async for part in answer.content.iter_any():
                    yield part
            finally:
                answer.release()

        return StreamingResponse(content(), answer.status, passed)

    return Starlette(routes=[Route("/{path:path}", pass_on, methods=["GET", "POST"])], lifespan=lifespan)


if __name__ == "__main__":
    logging.disable()
    port, behind = map(int, sys.argv[1:])
    uvicorn.run(
        application(behind), host="127.0.0.1", port=port, loop="uvloop", http="httptools", access_log=False
    )

"""The same as server-sent events: what is sent over a WebSocket, one `data:` line a message."""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

from flotilla.security.principal import Principal
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flotilla_websocket.frames import Frame
from flotilla_websocket.live import Live
from flotilla_websocket.peer import Peer


class EventStream(Response):
    """A response that goes on until the client or the service ends it."""

    media_type = "text/event-stream"

    def __init__(
        self, live: Live, who: Principal, topics: frozenset[str] | None, last_event_id: UUID | None
    ) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._live = live
        self._who = who
        self._topics = topics
        self._last_event_id = last_event_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        async def send_frames(frames: Sequence[Frame]) -> None:
            peer.heard = time.monotonic()
            body = b"".join([each.chunk for each in frames])
            await send({"type": "http.response.body", "body": body, "more_body": True})

        async def close(_code: int, _reason: str) -> None:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        async with self._live.connected(self._who, "sse") as peer:
            peer.topics = self._topics
            reader = asyncio.create_task(_until_gone(peer, receive))
            try:
                if self._last_event_id is not None:
                    await self._live.resume(peer, self._last_event_id)
                await peer.pump(send_frames, close)
            finally:
                reader.cancel()


async def _until_gone(peer: Peer, receive: Receive) -> None:
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        peer.leave()

"""`/v1/live` over WebSocket, as plain ASGI: a connection costs two tasks and a queue."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from flotilla.app import App
from flotilla.problems import (
    BadRequestError,
    ForbiddenError,
    NotFoundError,
    Problem,
    UnauthorizedError,
    UnavailableError,
    render,
)
from flotilla.security.principal import HEADER, Principal
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flotilla_websocket.domain.topics import UnknownTopicError, parse
from flotilla_websocket.edge.shared_frames import WriteFrames, write_frames_of
from flotilla_websocket.frames import Frame, frame
from flotilla_websocket.live import Live
from flotilla_websocket.peer import Peer
from flotilla_websocket.protocol import (
    SUBPROTOCOL,
    TOO_MANY,
    ClientMessage,
    Error,
    NotUnderstoodError,
    Resume,
    Subscribe,
    Subscribed,
    read,
)

PATH: Final = "/v1/live"
PERMISSION: Final = "events:subscribe"
MESSAGES_A_HEARTBEAT: Final = 60


class Sockets:
    """Takes WebSockets; everything else goes on to FastAPI."""

    def __init__(self, app: App, inner: ASGIApp) -> None:
        self._app = app
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "websocket":
            await self._inner(scope, receive, send)
            return
        await receive()  # websocket.connect
        headers = dict(scope["headers"])
        try:
            who = self._admit(scope, headers)
        except Problem as problem:
            await _refuse(send, problem, headers)
            return
        chosen = SUBPROTOCOL if scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": chosen})
        await self._serve(who, receive, send, write_frames_of(scope))

    def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Principal:
        if scope["path"] != PATH:
            raise NotFoundError(f"WebSockets are opened at {PATH}.")
        if self._app.stopping.is_set():
            raise UnavailableError("This process is stopping: connect again.", headers={"retry-after": "1"})
        token = headers.get(HEADER.encode())
        if token is None:
            raise UnauthorizedError("Send `Authorization: Bearer <access token>`.")
        who = self._app.principals.verify(token.decode("latin-1"))
        if not who.may(PERMISSION):
            raise ForbiddenError(f"It takes the permission `{PERMISSION}`.")
        if scope["subprotocols"] and SUBPROTOCOL not in scope["subprotocols"]:
            raise BadRequestError(f"The subprotocol here is `{SUBPROTOCOL}`.")
        return who

    async def _serve(self, who: Principal, receive: Receive, send: Send, write: WriteFrames | None) -> None:
        live: Live = self._app.own

        async def send_frames(frames: Sequence[Frame]) -> None:
            # Where it cannot be taken now, uvicorn waits with the first until it can.
            if write is not None and write(b"".join([each.wire for each in frames])):
                return
            for each in frames:
                await send({"type": "websocket.send", "text": each.text})

        async def close(code: int, reason: str) -> None:
            await send({"type": "websocket.close", "code": code, "reason": reason})

        async with live.connected(who, "websocket") as peer:
            peer.write = write
            reader = asyncio.create_task(_listen(live, peer, receive))
            try:
                await peer.pump(send_frames, close)
            finally:
                reader.cancel()


async def _listen(live: Live, peer: Peer, receive: Receive) -> None:
    """Do what the client says, until it goes."""
    try:
        while (message := await receive())["type"] == "websocket.receive":
            peer.heard = time.monotonic()
            peer.asked += 1
            if peer.asked > MESSAGES_A_HEARTBEAT:
                peer.close(TOO_MANY, "too many messages")
            elif not peer.closing:
                await _answer(live, peer, message)
    finally:
        peer.leave()


async def _answer(live: Live, peer: Peer, message: Message) -> None:
    try:
        await _do(live, peer, read(message.get("text") or message.get("bytes") or ""))
    except (NotUnderstoodError, UnknownTopicError) as error:
        peer.tell(frame(Error(str(error))))


async def _do(live: Live, peer: Peer, wish: ClientMessage) -> None:
    match wish:
        case Subscribe(topics=topics):
            peer.topics = parse(topics)
            peer.tell(frame(Subscribed(None if peer.topics is None else sorted(peer.topics))))
        case Resume(last_event_id=event_id):
            await live.resume(peer, event_id)
        case _:
            pass  # a pong: that it came is what it says


async def _refuse(send: Send, problem: Problem, headers: dict[bytes, bytes]) -> None:
    """Answer the handshake with a problem, as any HTTP request."""
    request_id = headers.get(b"x-request-id", b"").decode("latin-1")
    status, answer, body = render(problem, request_id)
    pairs: list[tuple[bytes, bytes]] = [(name.encode(), value.encode()) for name, value in answer.items()]
    start: dict[str, Any] = {"type": "websocket.http.response.start", "status": status, "headers": pairs}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})

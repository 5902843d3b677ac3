"""uvicorn's WebSocket, and a way past it for messages that are frames already.

What the service sends is the same for every socket that gets it (a server's frames are not masked, and nothing is
compressed), so it is made into a frame once, and goes into the connection together with what else is due.
"""

from typing import Final, Protocol, cast

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION: Final = "flotilla.frames"


class WriteFrames(Protocol):
    """Writes whole frames at once: whether they were taken; not where the client takes little in, nor at the end."""

    def __call__(self, frames: bytes) -> bool: ...


class SharedFrames(WebSocketsSansIOProtocol):
    """Names its `write_frames` as an extension of the scope."""

    def handle_connect(self, event: Request) -> None:
        """The handshake; the application runs after it."""
        super().handle_connect(event)
        if scope := getattr(self, "scope", None):
            scope["extensions"][EXTENSION] = self.write_frames

    def write_frames(self, frames: bytes) -> bool:
        """`WriteFrames`."""
        if self.disconnected or self.close_sent or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True


def write_frames_of(scope: Scope) -> WriteFrames | None:
    """How to write to this connection, where its server is ours."""
    return cast("WriteFrames | None", scope.get("extensions", {}).get(EXTENSION))

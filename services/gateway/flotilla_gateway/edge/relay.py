"""The two sides of a WebSocket tunnel: what one receives, the other sends."""

import asyncio


class Relay(asyncio.Protocol):
    """One side of an open tunnel: what it receives, the other side sends."""

    other: "Relay"

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.passed = 0
        self.ended = asyncio.get_running_loop().create_future()
        self._stalled = (0, 0.0)

    def data_received(self, data: bytes) -> None:
        self.passed += len(data)
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        self.other.transport.close()  # After what it still has to send.
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.close()
        if not self.ended.done():
            self.ended.set_result(None)

    def pause_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def shutdown(self) -> None:
        """The process stops: callers connect again, to another gateway."""
        self.transport.close()

    def check_stall(self, now: float, limit: float) -> None:
        """Cut it where it has taken nothing for `limit` seconds."""
        size = self.transport.get_write_buffer_size()
        if not size or size != self._stalled[0]:
            self._stalled = (size, now)
        elif now - self._stalled[1] > limit:
            self.transport.abort()


class Opening(asyncio.Protocol):
    """The caller's side while the handshake is under way: it may only wait, or leave."""

    def __init__(self, task: "asyncio.Task[None]", transport: asyncio.Transport) -> None:
        self._task = task
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.abort()  # RFC 6455 section 4.1: nothing may be sent before the handshake is answered.

    def connection_lost(self, error: Exception | None) -> None:
        self._task.cancel()

    def shutdown(self) -> None:
        self._transport.close()

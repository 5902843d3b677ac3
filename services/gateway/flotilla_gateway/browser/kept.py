"""An answer kept instead of sent, so that what is in it can be put where scripts cannot read it."""

from collections.abc import Callable, MutableMapping
from typing import Any, Final

from flotilla_gateway.forward.headers import Header, fields_of, lines
from flotilla_gateway.forward.passage import Client

BODILESS: Final = (204, 304)


class Kept:
    """Takes the place of the caller's connection while the service answers: auth's answers are short."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.status = 0
        self.lines = b""
        """Of its head."""
        self.body = b""

    @property
    def gone(self) -> bool:
        """The caller closed its connection."""
        return self._client.gone

    @property
    def keeps_up(self) -> bool:
        """What is kept is taken at once."""
        return True

    def watch(self, when_gone: Callable[[], None] | None) -> None:
        """As the caller's connection does."""
        self._client.watch(when_gone)

    def end_when_draining(self, end: Callable[[], None] | None) -> None:
        """As the caller's connection does."""
        self._client.end_when_draining(end)

    def abort(self) -> None:
        """As the caller's connection does."""
        self._client.abort()

    def cut(self) -> None:
        """As the caller's connection does."""
        self._client.cut()

    def respond(self, status: int, lines: bytes, body: bytes) -> None:
        """Keep a whole answer."""
        self.status, self.lines, self.body = status, lines, body

    def measured(self) -> list[Header]:
        """Its header fields with the length of its body, which may not be what the service sent."""
        fields = [field for field in fields_of(self.lines) if field[0] != b"content-length"]
        if self.status not in BODILESS:
            fields.append((b"content-length", b"%d" % len(self.body)))
        return fields

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Keep a part of one."""
        if message["type"] == "http.response.start":
            self.status, self.lines = message["status"], lines(message["headers"])
        else:
            self.body += message.get("body", b"")

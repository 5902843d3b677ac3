"""An answer kept instead of sent, so that what is in it can be put where scripts cannot read it."""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final

from flotilla_gateway.forward.headers import Header
from flotilla_gateway.forward.passage import Client

BODILESS: Final = (204, 304)


class Kept:
    """Takes the place of the caller's connection while the service answers: auth's answers are short."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.status = 0
        self.headers: list[Header] = []
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

    def respond(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """Keep a whole answer."""
        self.status, self.headers, self.body = status, list(headers), body

    def measured(self) -> list[Header]:
        """Its header fields with the length of its body, which may not be what the service sent."""
        fields = [field for field in self.headers if field[0] != b"content-length"]
        if self.status not in BODILESS:
            fields.append((b"content-length", b"%d" % len(self.body)))
        return fields

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Keep a part of one."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")

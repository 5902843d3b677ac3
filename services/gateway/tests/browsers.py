"""A browser as far as cookies go, and an auth that signs everybody in."""

import asyncio
import json
from dataclasses import dataclass, field
from http.cookies import Morsel, SimpleCookie
from typing import Any

from flotilla_gateway.browser.cookies import ACCESS, CSRF, REFRESH

from services.gateway.tests.raw import Answer, ask
from services.gateway.tests.scripted import Request
from services.gateway.tests.world import World

ACCESS_COOKIE, CSRF_COOKIE, REFRESH_COOKIE = ACCESS.decode(), CSRF.decode(), REFRESH.decode()
OWN = "origin: http://gateway.test"
"""What `raw.request` calls the gateway."""


@dataclass
class Auth:
    """Answers as auth does; every session it begins is one person's."""

    edge: World
    claims: dict[str, Any]
    refreshed_with: list[Any] = field(default_factory=list)
    refuses: bool = False

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """One request."""
        body = await request.body()
        status, answer = 200, b""
        if self.refuses or (request.target == "/v1/tokens/refresh" and not body):
            status, answer = 401, b'{"type":"/problems/unauthorized"}'
        elif request.target == "/v1/sign-out":
            status = 204
        elif request.target == "/v1/step-up":
            said = {"access_token": self.edge.token(**self.claims), "token_type": "Bearer", "expires_in": 900}
            answer = json.dumps(said).encode()
        else:
            if request.target == "/v1/tokens/refresh":
                self.refreshed_with.append(json.loads(body))
            answer = json.dumps(self.tokens()).encode()
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
        if status != 204:
            head += f"content-length: {len(answer)}\r\n"
        writer.write(head.encode() + b"\r\n" + answer)

    def tokens(self) -> dict[str, Any]:
        """As auth shows them."""
        return {
            "access_token": self.edge.token(**self.claims),
            "refresh_token": f"rt_{len(self.refreshed_with)}",
            "refresh_expires_at": "2126-01-01T00:00:00Z",
            "token_type": "Bearer",
            "expires_in": 900,
            "state": "signed_in",
        }


@dataclass
class Browser:
    """Keeps the cookies it is sent, and sends those that belong to a path."""

    port: int
    jar: dict[str, "Morsel[str]"] = field(default_factory=dict)

    async def ask(self, method: str, path: str, *headers: str, body: bytes | None = None) -> Answer:
        """One request."""
        sent = [
            f"{name}={morsel.value}"
            for name, morsel in self.jar.items()
            if morsel.value and path.startswith(morsel["path"])
        ]
        cookie = [f"cookie: {'; '.join(sent)}"] if sent else []
        answer = await ask(self.port, method, path, *cookie, *headers, body=body)
        for name, value in answer.headers:
            if name == "set-cookie":
                self.jar.update(SimpleCookie(value))
        return answer

    @property
    def csrf(self) -> str:
        """What a page reads of its cookies and sends."""
        return f"x-csrf-token: {self.jar[CSRF_COOKIE].value}"

    async def sign_in(self) -> Answer:
        """As a page of the gateway's own origin does."""
        return await self.ask("POST", "/v1/sign-in", "x-session: cookie", OWN, body=b"{}")

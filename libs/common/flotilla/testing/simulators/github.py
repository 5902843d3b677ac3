"""A local GitHub Enterprise server, as far as sign-in goes: codes with PKCE, and who somebody is by its API.

async with GitHubSimulator.running() as github:
    code, state = github.sign_in(authorization_url, 583231, [{"email": …, "primary": True, "verified": True}])
"""

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from flotilla.testing.serving import serving


@dataclass
class GitHubSimulator:
    """One OAuth app of one server."""

    client_id: str = "Iv1.flotilla"
    client_secret: str = field(default_factory=lambda: secrets.token_hex(20))
    address: str = ""
    _codes: dict[str, tuple[dict[str, str], int, list[dict[str, Any]]]] = field(default_factory=dict)
    _tokens: dict[str, tuple[int, list[dict[str, Any]]]] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """Listen on loopback, on a free port."""
        github = cls()
        app = web.Application()
        app.router.add_post("/login/oauth/access_token", github._token)
        app.router.add_get("/api/v3/user", github._user)
        app.router.add_get("/api/v3/user/emails", github._emails)
        async with serving(app) as github.address:
            yield github

    def provider(self, name: str = "work-github") -> dict[str, str]:
        """As FLOTILLA_OIDC_PROVIDERS has it."""
        return {
            "name": name,
            "kind": "github",
            "issuer": self.address,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }

    def sign_in(self, authorization_url: str, user_id: int, emails: list[dict[str, Any]]) -> tuple[str, str]:
        """What a browser comes back with: code and state."""
        where = urlsplit(authorization_url)
        assert where.path == "/login/oauth/authorize"
        asked = {name: values[0] for name, values in parse_qs(where.query).items()}
        assert asked["client_id"] == self.client_id
        assert asked["code_challenge_method"] == "S256"
        assert "user:email" in asked["scope"].split()
        code = secrets.token_hex(10)
        self._codes[code] = (asked, user_id, emails)
        return code, asked["state"]

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        found = self._codes.pop(str(form.get("code")), None)
        verifier = str(form.get("code_verifier", "")).encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        client = (form.get("client_id"), form.get("client_secret"))
        if client != (self.client_id, self.client_secret):
            return web.json_response({"error": "incorrect_client_credentials"})
        if found is None or (challenge, form.get("redirect_uri")) != (
            found[0]["code_challenge"],
            found[0]["redirect_uri"],
        ):
            return web.json_response({"error": "bad_verification_code"})
        token = f"gho_{secrets.token_hex(18)}"
        self._tokens[token] = found[1:]
        return web.json_response({"access_token": token, "token_type": "bearer", "scope": "user:email"})

    async def _user(self, request: web.Request) -> web.Response:
        found = self._whose(request)
        return web.json_response({"id": found[0], "login": "octocat", "email": None})

    async def _emails(self, request: web.Request) -> web.Response:
        return web.json_response(self._whose(request)[1])

    def _whose(self, request: web.Request) -> tuple[int, list[dict[str, Any]]]:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self._tokens:
            raise web.HTTPUnauthorized
        return self._tokens[token]

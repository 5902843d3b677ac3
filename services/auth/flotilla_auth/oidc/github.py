"""GitHub: OAuth 2.0 with PKCE, and its API for who somebody is, as it is no OpenID issuer.

There is no token to check: what GitHub says comes from GitHub itself over TLS, for a code that only our client, with
the verifier of this very sign-in, can exchange. The token that comes with it is used at once, and kept nowhere.
"""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from flotilla.outside_http import OutsideHttp

from flotilla_auth.oidc.asking import ask, refused
from flotilla_auth.oidc.issuer import Claims
from flotilla_auth.oidc.providers import GITHUB, Provider

SCOPES: Final = "read:user user:email"


class _Token(msgspec.Struct, frozen=True):
    access_token: str


class _User(msgspec.Struct, frozen=True):
    id: int


class _Email(msgspec.Struct, frozen=True):
    email: str
    primary: bool = False
    verified: bool = False


@dataclass
class GitHub:
    """github.com, or a company's own server of it (`issuer`)."""

    provider: Provider
    http: OutsideHttp

    async def authorization_url(self, redirect_uri: str, state: str, nonce: str, challenge: str) -> str:
        """Where the person's browser goes; GitHub knows no nonce."""
        asked = {
            "client_id": self.provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPES,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.provider.issuer}/login/oauth/authorize?{urlencode(asked)}"

    async def exchange(self, code: str, redirect_uri: str, verifier: str, nonce: str) -> Claims:
        """What GitHub says of whoever brings this code; a 401 problem where it is not good."""
        sent = {
            "client_id": self.provider.client_id,
            "client_secret": self.provider.client_secret.get_secret_value(),
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        url = f"{self.provider.issuer}/login/oauth/access_token"
        body = urlencode(sent).encode()
        answer = await ask(self.http, self.provider.name, "POST", url, body=body, headers=headers)
        # Refusals have status 200 as well, and no token in them.
        token = self._decoded(answer.status, answer.body, _Token).access_token
        user: _User = await self._of("/user", token, _User)
        emails: list[_Email] = await self._of("/user/emails", token, list[_Email])
        primary = next((each for each in emails if each.primary), None)
        return Claims(
            iss=self.provider.issuer,
            sub=str(user.id),
            aud=self.provider.client_id,
            exp=0,
            iat=0,
            email=primary.email if primary else None,
            email_verified=primary is not None and primary.verified,
        )

    async def _of(self, path: str, token: str, type_: Any) -> Any:
        api = "https://api.github.com" if self.provider.issuer == GITHUB else f"{self.provider.issuer}/api/v3"
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        answer = await ask(self.http, self.provider.name, "GET", api + path, headers=headers)
        return self._decoded(answer.status, answer.body, type_)

    def _decoded(self, status: int, body: bytes, type_: Any) -> Any:
        if status != 200:
            raise refused(self.provider.name, f"status {status}")
        try:
            return msgspec.json.decode(body, type=type_)
        except msgspec.DecodeError:
            raise refused(self.provider.name, "unreadable") from None

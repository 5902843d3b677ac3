"""A local OpenID Connect issuer: discovery, keys that rotate, authorization codes with PKCE, signed ID tokens.

    async with IssuerSimulator.running() as issuer:
        code, state = await issuer.sign_in(authorization_url, Account("sub-1", "grace@example.org"))

`says` changes claims of the next ID tokens, `signs_with` their signature: what an attacker would try.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from flotilla.testing.serving import serving


@dataclass(frozen=True)
class Account:
    """Somebody who has an account there."""

    subject: str
    email: str
    email_verified: Any = True


@dataclass
class _Code:
    account: Account
    asked: dict[str, str]


@dataclass
class IssuerSimulator:
    """One issuer with one client, as strict as the specifications ask."""

    client_id: str = "flotilla-test"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    address: str = ""
    redirect_uri: str = ""
    """The only one that is registered; empty: whichever comes first."""
    says: dict[str, Any] = field(default_factory=dict)
    key: RSAKey | ECKey = field(default_factory=lambda: _rsa())
    signs_with: RSAKey | ECKey | None = None
    """Another key than those it publishes."""
    token: str | None = None
    """Answered instead of an ID token that it made."""
    keys_asked: int = 0
    answers: int = 200
    """The status of its token endpoint."""
    _codes: dict[str, _Code] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """Listen on loopback, on a free port."""
        issuer = cls()
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", issuer._configuration)
        app.router.add_get("/keys", issuer._keys)
        app.router.add_post("/token", issuer._token)
        async with serving(app) as issuer.address:
            yield issuer

    def provider(self, name: str = "local") -> dict[str, str]:
        """As FLOTILLA_OIDC_PROVIDERS has it."""
        return {
            "name": name,
            "issuer": self.address,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }

    def rotate(self, key: "RSAKey | ECKey | None" = None) -> None:
        """Sign with another key from now on; the old one is not published any more."""
        self.key = key or _rsa()

    def sign_in(self, authorization_url: str, account: Account) -> tuple[str, str]:
        """What a browser comes back with once this person has signed in there: code and state."""
        where = urlsplit(authorization_url)
        assert f"{where.scheme}://{where.netloc}{where.path}" == f"{self.address}/authorize"
        asked = {name: values[0] for name, values in parse_qs(where.query).items()}
        assert asked["client_id"] == self.client_id
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        self.redirect_uri = self.redirect_uri or asked["redirect_uri"]
        assert asked["redirect_uri"] == self.redirect_uri
        code = secrets.token_urlsafe(16)
        self._codes[code] = _Code(account, asked)
        return code, asked["state"]

    async def _configuration(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            }
        )

    async def _keys(self, request: web.Request) -> web.Response:
        self.keys_asked += 1
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def _token(self, request: web.Request) -> web.Response:
        if self.answers != 200:
            return web.json_response({"error": "server_error"}, status=self.answers)
        if not self._knows_client(request.headers.get("Authorization", "")):
            return web.json_response({"error": "invalid_client"}, status=401)
        form = await request.post()
        found = self._codes.pop(str(form.get("code")), None)
        if found is None or not self._fits(found, form):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = self.token or self._id_token(found)
        return web.json_response({"access_token": "of-no-use", "token_type": "Bearer", "id_token": token})

    def _knows_client(self, authorization: str) -> bool:
        scheme, _, pair = authorization.partition(" ")
        client, _, secret = base64.b64decode(pair).decode().partition(":")
        given = (unquote(client), unquote(secret))
        return scheme == "Basic" and given == (self.client_id, self.client_secret)

    def _fits(self, found: _Code, form: Any) -> bool:
        verifier = str(form.get("code_verifier", ""))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return (
            form.get("grant_type") == "authorization_code"
            and form.get("redirect_uri") == found.asked["redirect_uri"]
            and hmac.compare_digest(challenge, found.asked["code_challenge"])
        )

    def _id_token(self, found: _Code) -> str:
        now = int(time.time())
        claims = {
            "iss": self.address,
            "sub": found.account.subject,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": found.asked["nonce"],
            "email": found.account.email,
            "email_verified": found.account.email_verified,
            **self.says,
        }
        key = self.signs_with or self.key
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        return jwt.encode({"alg": algorithm, "kid": self.key.kid}, claims, key, algorithms=[algorithm])


def _rsa() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(8), "use": "sig"})


def elliptic() -> ECKey:
    """A key of the other kind that issuers have."""
    return ECKey.generate_key("P-256", {"kid": secrets.token_hex(8), "use": "sig"})

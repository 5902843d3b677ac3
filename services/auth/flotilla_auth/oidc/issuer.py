"""One issuer: what it says of itself, its keys, its tokens (OpenID Connect Core 1.0, Discovery 1.0).

Its keys are read again, at most once a minute, when a token names one that is not known: so they may rotate at any
time, and nobody makes us ask without end.
"""

import asyncio
import base64
import hmac
import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
import structlog
from flotilla.http import UnavailableError
from flotilla.outside_http import OutsideHttp, OutsideResponse
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from flotilla_auth.oidc.asking import ask, refused
from flotilla_auth.oidc.providers import Provider

ALGORITHMS: Final = ["RS256", "PS256", "ES256"]
"""Signatures by keys that only the issuer has: neither `none` nor our own secret."""
LEEWAY_SECONDS: Final = 60
KEEP_SECONDS: Final = 3600
ASK_AGAIN_SECONDS: Final = 60

log = structlog.get_logger()


class Metadata(msgspec.Struct, frozen=True):
    """What is needed of an issuer's configuration document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Claims(msgspec.Struct, frozen=True):
    """What is needed of an ID token."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    iat: float
    nonce: str = ""
    azp: str | None = None
    email: str | None = None
    email_verified: Any = False


class _TokenAnswer(msgspec.Struct, frozen=True):
    id_token: str


@dataclass
class Issuer:
    """Asked by one process; what it said is kept for an hour."""

    provider: Provider
    http: OutsideHttp
    _metadata: tuple[float, Metadata] | None = None
    _keys: tuple[float, KeySet] | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def authorization_url(self, redirect_uri: str, state: str, nonce: str, challenge: str) -> str:
        """Where the person's browser goes."""
        found = await self.metadata()
        asked = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.provider.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in found.authorization_endpoint else "?"
        return f"{found.authorization_endpoint}{joint}{urlencode(asked)}"

    async def exchange(self, code: str, redirect_uri: str, verifier: str, nonce: str) -> Claims:
        """What the issuer says of whoever brings this code; a 401 problem where it, or what it says, is not good."""
        found = await self.metadata()
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        secret = self.provider.client_secret.get_secret_value()
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        pair = f"{quote(self.provider.client_id, safe='')}:{quote(secret, safe='')}"
        answer = await self._ask(
            "POST",
            found.token_endpoint,
            body=urlencode(sent).encode(),
            headers={
                "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
        )
        if answer.status != 200:
            raise refused(self.provider.name, f"status {answer.status}")
        try:
            token = msgspec.json.decode(answer.body, type=_TokenAnswer).id_token
        except msgspec.DecodeError:
            raise refused(self.provider.name, "no ID token") from None
        return await self.check(token, nonce)

    async def check(self, token: str, nonce: str) -> Claims:
        """The claims of an ID token that is the issuer's, for us, for this sign-in, and still good (Core, 3.1.3.7)."""
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
            signed = jws.deserialize_compact(token, await self._keys_with(kid), algorithms=ALGORITHMS)
            claims = msgspec.json.decode(signed.payload, type=Claims)
        except (JoseError, ValueError, TypeError, msgspec.DecodeError) as error:
            raise refused(self.provider.name, type(error).__name__) from None
        wrong = self._objection(claims, nonce, time.time())
        if wrong is not None:
            raise refused(self.provider.name, wrong)
        return claims

    async def metadata(self) -> Metadata:
        """As the issuer's configuration document says, which must be this issuer's own (Discovery, 4.3)."""
        async with self._lock:
            if self._metadata is None or self._metadata[0] + KEEP_SECONDS < time.monotonic():
                url = self.provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
                found = self._decoded(await self._ask("GET", url), Metadata)
                if found.issuer != self.provider.issuer:
                    log.error("oidc.issuer_differs", provider=self.provider.name)
                    raise UnavailableError("This way to sign in is not set up rightly.")
                self._metadata = (time.monotonic(), found)
            return self._metadata[1]

    def _objection(self, claims: Claims, nonce: str, now: float) -> str | None:
        ours = self.provider.client_id
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if claims.iss != self.provider.issuer:
            return "iss"
        if ours not in audiences or (len(audiences) > 1 and claims.azp != ours):
            return "aud"
        if claims.azp is not None and claims.azp != ours:
            return "azp"
        if claims.exp <= now - LEEWAY_SECONDS:
            return "exp"
        if claims.iat > now + LEEWAY_SECONDS:
            return "iat"
        if not claims.sub:
            return "sub"
        return None if hmac.compare_digest(claims.nonce.encode(), nonce.encode()) else "nonce"

    async def _keys_with(self, kid: str | None) -> KeySet:
        uri = (await self.metadata()).jwks_uri
        async with self._lock:
            age = time.monotonic() - self._keys[0] if self._keys else None
            known = self._keys is not None and (
                kid is None or any(key.kid == kid for key in self._keys[1].keys)
            )
            if age is None or age > KEEP_SECONDS or (not known and age > ASK_AGAIN_SECONDS):
                document = self._decoded(await self._ask("GET", uri), dict[str, Any])
                keys = [key for key in document.get("keys", []) if key.get("kty") in ("RSA", "EC")]
                self._keys = (time.monotonic(), KeySet.import_key_set({"keys": keys}))
            assert self._keys is not None
            return self._keys[1]

    async def _ask(self, method: str, url: str, **options: Any) -> OutsideResponse:
        return await ask(self.http, self.provider.name, method, url, **options)

    def _decoded(self, answer: OutsideResponse, type_: Any) -> Any:
        try:
            if answer.status != 200:
                raise msgspec.DecodeError
            return msgspec.json.decode(answer.body, type=type_)
        except msgspec.DecodeError:
            log.warning("oidc.unreadable", provider=self.provider.name, status=answer.status)
            raise UnavailableError("This way to sign in does not answer as it should: use another.") from None

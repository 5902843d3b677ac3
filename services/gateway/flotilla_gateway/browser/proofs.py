"""What shows that a request with cookies comes from a page of ours (OWASP, Cross-Site Request Forgery Prevention).

Two things, each enough against most attacks: where the browser says the request comes from (`Origin`,
`Sec-Fetch-Site`), and a token that another site's page can neither read nor make: double submit, signed and bound to
the session.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from flotilla.security import signed

from flotilla_gateway import metrics
from flotilla_gateway.browser import cookies
from flotilla_gateway.edge.cors import Cors
from flotilla_gateway.problems import CrossSiteRequestError

TOKEN: Final = b"x-csrf-token"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ID_BYTES: Final = 16
_RANDOM_BYTES: Final = 16
_DIGEST_BYTES: Final = 16
_OWN_SITES: Final = frozenset({None, b"same-origin", b"none"})
"""None: no browser of the last years."""


class Proofs:
    """Makes and checks them; every process of a gateway the same."""

    def __init__(self, keys: signed.Keys, cors: Cors) -> None:
        self._csrf_keys = tuple(hmac.digest(key, b"csrf", hashlib.sha256) for key in keys)
        self._refresh_keys = tuple(hmac.digest(key, b"refresh", hashlib.sha256) for key in keys)
        self._cors = cors

    def csrf_token(self, session: UUID) -> str:
        """One for this session."""
        return signed.write(self._csrf_keys, session.bytes + os.urandom(_RANDOM_BYTES))

    def bind(self, session: UUID, refresh_token: str) -> bytes:
        """The refresh token as its cookie has it, with the session that it carries on."""
        bound = signed.write(self._refresh_keys, session.bytes + _digest(refresh_token))
        return f"{refresh_token}.{bound}".encode()

    def unbind(self, cookie: bytes) -> tuple[UUID, str] | None:
        """Session and refresh token; None where the cookie was not made here."""
        refresh_token, _, bound = cookie.decode("latin-1").rpartition(".")
        body = signed.read(self._refresh_keys, bound, _ID_BYTES + _DIGEST_BYTES) if bound.isascii() else None
        if body is None or not hmac.compare_digest(body[_ID_BYTES:], _digest(refresh_token)):
            return None
        return UUID(bytes=body[:_ID_BYTES]), refresh_token

    def check(
        self, method: str, fields: Mapping[bytes, bytes], scheme: str, session: UUID, org: UUID | None
    ) -> None:
        """A 403 problem for what another site may have sent; `org`: whose list of origins counts, if it is known."""
        self.check_origin(method, fields, scheme, org)
        if method in SAFE:
            return
        sent, kept = fields.get(TOKEN), cookies.read(fields.get(b"cookie")).get(cookies.CSRF)
        if sent is None or kept is None:
            raise _refused("Send the cookie `__Host-flotilla-csrf` and its value in `X-Csrf-Token`.")
        # Each of this session, and not both the same: another tab's refresh changes the cookie under this one.
        if not self._of(session, sent) or not self._of(session, kept):
            raise _refused(
                "The CSRF token is another session's: take the one of the last sign-in or refresh."
            )

    def _of(self, session: UUID, token: bytes) -> bool:
        """Whether it was made here for this session."""
        text = token.decode("latin-1")
        body = signed.read(self._csrf_keys, text, _ID_BYTES + _RANDOM_BYTES) if text.isascii() else None
        return body is not None and hmac.compare_digest(body[:_ID_BYTES], session.bytes)

    def check_origin(
        self, method: str, fields: Mapping[bytes, bytes], scheme: str, org: UUID | None, *, said: bool = False
    ) -> None:
        """The same for what the browser says of where a request comes from; `said`: it must say it."""
        origin = fields.get(b"origin")
        if origin is not None:
            own = b"%b://%b" % (scheme.encode(), fields.get(b"host", b""))
            if origin != own and not self._cors.lists(origin, org):
                raise _refused("Pages of this origin may not use a session in cookies here.")
        elif said:
            raise _refused("Say the Origin.")
        elif fields.get(b"sec-fetch-site") not in _OWN_SITES and not _is_link(method, fields):
            raise _refused("Another site sent this.")


def _is_link(method: str, fields: Mapping[bytes, bytes]) -> bool:
    """Followed by a person, from a page of a neighbouring host: what it leads to, that page cannot see."""
    mode, site = fields.get(b"sec-fetch-mode"), fields.get(b"sec-fetch-site")
    return method in SAFE and site == b"same-site" and mode == b"navigate"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("latin-1")).digest()[:_DIGEST_BYTES]


def _refused(detail: str) -> CrossSiteRequestError:
    metrics.CROSS_SITE.inc()
    return CrossSiteRequestError(detail)

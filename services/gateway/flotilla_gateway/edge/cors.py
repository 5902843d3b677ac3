"""Cross-origin requests from browsers: refused unless the settings list the origin.

Only bearer tokens authenticate, never cookies, so credentials are not allowed to come along by themselves.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from flotilla_gateway.forward.headers import Header

EXPOSED: Final = b"etag, location, ratelimit, ratelimit-policy, retry-after, x-request-id"
ALLOWED: Final = (
    b"authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-api-key,"
    b" x-request-id"
)
PREFLIGHT_SECONDS: Final = b"600"


class Cors:
    """Answers for the listed origins."""

    def __init__(self, origins: str) -> None:
        """`origins`: `https://app.example.com`, comma-separated."""
        self._origins = frozenset(origin.strip().encode() for origin in origins.split(",") if origin.strip())

    def response_headers(self, origin: bytes | None) -> Sequence[Header]:
        """What lets the page read the response; nothing where its origin is not listed."""
        if not self._origins:
            return ()
        if origin is None or origin not in self._origins:
            return ((b"vary", b"origin"),)
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", EXPOSED),
            (b"vary", b"origin"),
        )

    def preflight_headers(self, fields: Mapping[bytes, bytes], methods: bytes) -> Sequence[Header]:
        """What a preflight asks for (Fetch standard, section 3.2.2)."""
        allowed = self.response_headers(fields.get(b"origin"))
        if not allowed or allowed[0][0] == b"vary" or b"access-control-request-method" not in fields:
            return allowed
        return (
            *allowed,
            (b"access-control-allow-methods", methods),
            (b"access-control-allow-headers", ALLOWED),
            (b"access-control-max-age", PREFLIGHT_SECONDS),
        )

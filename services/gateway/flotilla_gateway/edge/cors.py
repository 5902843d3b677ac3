"""Cross-origin requests from browsers: refused unless the settings or the caller's organization list the origin.

The settings' origins are for all routes; an organization's are for requests of its own people. Before it is known who
asks (a preflight carries no credentials, and a token may have expired), what any organization lists is let see that it
must sign in; the answers that tell of something are those of one's own organization.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from flotilla_gateway.forward.headers import Header

EXPOSED: Final = b"etag, location, ratelimit, ratelimit-policy, retry-after, x-request-id"
ALLOWED: Final = (
    b"authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-api-key,"
    b" x-csrf-token, x-proof-of-work, x-request-id, x-session"
)
PREFLIGHT_SECONDS: Final = b"600"
_VARY: Final[Sequence[Header]] = ((b"vary", b"origin"),)
_NONE: Final[frozenset[bytes]] = frozenset()


class Cors:
    """Answers for the listed origins."""

    def __init__(self, origins: str) -> None:
        """`origins`: `https://app.example.com`, comma-separated."""
        self._everywhere = frozenset(
            origin.strip().encode() for origin in origins.split(",") if origin.strip()
        )
        self._of: dict[UUID, frozenset[bytes]] = {}
        self._somewhere = self._everywhere
        self.in_use = bool(self._somewhere)
        """Whether any origin is listed."""

    def replace(self, lists: Iterable[tuple[UUID, Iterable[str]]]) -> None:
        """These organizations' lists and no others."""
        self._of.clear()
        self.learn((), lists)

    def learn(self, organizations: Iterable[UUID], lists: Iterable[tuple[UUID, Iterable[str]]]) -> None:
        """All there is of these organizations."""
        for org in organizations:
            self._of.pop(org, None)
        for org, origins in lists:
            self._of[org] = frozenset(origin.encode() for origin in origins)
        self._somewhere = self._everywhere.union(*self._of.values())
        self.in_use = bool(self._somewhere)

    def lists(self, origin: bytes, org: UUID | None) -> bool:
        """Whether the settings list it, or this organization does."""
        return origin in self._everywhere or (org is not None and origin in self._of.get(org, _NONE))

    def response_headers(
        self, origin: bytes | None, org: UUID | None = None, *, anonymous: bool = True
    ) -> Sequence[Header]:
        """What lets the page read the response; `anonymous`: the route is for everybody, so no organization counts."""
        if not self._somewhere:
            return ()
        if origin is None:
            return _VARY
        known = origin in self._somewhere if org is None and not anonymous else self.lists(origin, org)
        if not known:
            return _VARY
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", EXPOSED),
            (b"vary", b"origin"),
        )

    def preflight_headers(
        self, fields: Mapping[bytes, bytes], methods: bytes, *, anonymous: bool
    ) -> Sequence[Header]:
        """What a preflight asks for (Fetch standard, section 3.2.2)."""
        allowed = self.response_headers(fields.get(b"origin"), anonymous=anonymous)
        if not allowed or allowed is _VARY or b"access-control-request-method" not in fields:
            return allowed
        return (
            *allowed,
            (b"access-control-allow-methods", methods),
            (b"access-control-allow-headers", ALLOWED),
            (b"access-control-max-age", PREFLIGHT_SECONDS),
        )

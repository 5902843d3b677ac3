"""Header fields that make browsers careful with what they get from here."""

from typing import Final

from flotilla_gateway.forward.headers import Header, lines

_COMMON: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-site"),
)
_API_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For pages of our own: nothing inline, nothing from elsewhere."""
HSTS: Final[Header] = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")

_CONSOLE_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    b"media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; frame-src 'self'; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors "
)
CONSOLE: Final[tuple[Header, ...]] = (*_COMMON, (b"content-security-policy", _CONSOLE_POLICY + b"'none'"))
"""The console: nothing inline, nothing from elsewhere, in nobody's frame."""
WIDGET: Final[tuple[Header, ...]] = (
    *_COMMON[:2],
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"access-control-allow-origin", b"*"),
    (b"content-security-policy", _CONSOLE_POLICY + b"*"),
)
"""The chat widget: any site may load and frame it; it has nobody's session."""

API: Final[tuple[Header, ...]] = (*_COMMON, (b"content-security-policy", _API_POLICY))
API_HTTPS: Final = (*API, HSTS)
PAGE: Final[tuple[Header, ...]] = (*_COMMON, (b"content-security-policy", PAGE_POLICY))
PAGE_HTTPS: Final = (*PAGE, HSTS)
NO_STORE: Final[Header] = (b"cache-control", b"no-store")
"""Where a service does not say how long its answer may be kept."""
NO_STORE_LINE: Final = lines([NO_STORE])
API_LINES: Final = lines(API)
API_HTTPS_LINES: Final = lines(API_HTTPS)


def guards(*, https: bool) -> tuple[Header, ...]:
    """Of an answer of the API."""
    return API_HTTPS if https else API

"""The cookies of a session (RFC 6265bis): what they are called, how they are read, set and taken back.

| cookie | holds | who reads it |
|---|---|---|
| `__Host-flotilla-access` | the access token | the gateway, on every request |
| `__Secure-flotilla-refresh` | the refresh token, tied to its session | the gateway, at POST /v1/tokens/refresh alone |
| `__Host-flotilla-csrf` | the CSRF token | pages of the gateway's own origin, and the gateway |

`__Host-` keeps other hosts of the domain from setting them; a cookie with a path of its own cannot be called so, which
is why the refresh token is signed together with its session. All are Strict: they are read by scripts' requests, never
by following a link, so no other site's request needs to carry them.
"""

from typing import Final

from flotilla_gateway.forward.headers import Header

ACCESS: Final = b"__Host-flotilla-access"
REFRESH: Final = b"__Secure-flotilla-refresh"
CSRF: Final = b"__Host-flotilla-csrf"
NAMES: Final = frozenset({ACCESS, REFRESH, CSRF})
REFRESH_PATH: Final = b"/v1/tokens/refresh"
_PATHS: Final = {ACCESS: b"/", REFRESH: REFRESH_PATH, CSRF: b"/"}


def read(field: bytes | None) -> dict[bytes, bytes]:
    """Our cookies of a `Cookie` field; one that comes twice is none: nobody can say whose it is."""
    found: dict[bytes, bytes] = {}
    twice: set[bytes] = set()
    for pair in (field or b"").split(b";"):
        name, _, value = pair.strip().partition(b"=")
        if name in NAMES:
            if name in found:
                twice.add(name)
            found[name] = value
    return {name: value for name, value in found.items() if name not in twice}


def without_ours(field: bytes) -> bytes:
    """The rest of a `Cookie` field: what a service that asked for no session may see."""
    pairs = [pair.strip() for pair in field.split(b";")]
    return b"; ".join(pair for pair in pairs if pair and pair.partition(b"=")[0] not in NAMES)


def put(name: bytes, value: bytes, seconds: int) -> Header:
    """The field that sets one."""
    attributes = [b"%b=%b" % (name, value), b"Max-Age=%d" % seconds, b"Path=" + _PATHS[name], b"Secure"]
    if name != CSRF:
        attributes.append(b"HttpOnly")
    return b"set-cookie", b"; ".join([*attributes, b"SameSite=Strict"])


def clear() -> list[Header]:
    """The fields that take all of them back."""
    return [put(name, b"", 0) for name in (ACCESS, REFRESH, CSRF)]

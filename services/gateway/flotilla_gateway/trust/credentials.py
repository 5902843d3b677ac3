"""Where an access token may stand.

`Authorization: Bearer <token>` everywhere; an API key may stand there as well, or in `X-Api-Key`. Browsers
cannot set header fields on WebSockets and EventSource, so the live channel also takes it as a subprotocol
(`Sec-WebSocket-Protocol: flotilla.v1, bearer.<token>`) or as `?access_token=<token>`. None of them is passed on
or logged.
"""

from collections.abc import Iterable
from typing import Final

from flotilla_gateway.forward.headers import Header

_QUERY: Final = b"access_token="
_SUBPROTOCOL: Final = b"bearer."


def from_authorization(authorization: bytes | None) -> bytes | None:
    """The bearer token (RFC 6750 section 2.1)."""
    scheme, _, token = (authorization or b"").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" and token else None


def from_fields(authorization: bytes | None, api_key: bytes | None) -> bytes | None:
    """The token or API key of a request's header fields."""
    return from_authorization(authorization) or (api_key.strip() if api_key else None) or None


def from_query(query: bytes) -> tuple[bytes | None, bytes]:
    """The token and the query without it."""
    if _QUERY not in query:
        return None, query
    parts = query.split(b"&")
    tokens = [part[len(_QUERY) :] for part in parts if part.startswith(_QUERY)]
    rest = b"&".join(part for part in parts if not part.startswith(_QUERY))
    return (tokens[0] or None) if tokens else None, rest


def from_subprotocols(headers: Iterable[Header]) -> tuple[bytes | None, list[bytes]]:
    """The token and the subprotocols without it."""
    values = (value for name, value in headers if name == b"sec-websocket-protocol")
    offered = [offer.strip() for value in values for offer in value.split(b",")]
    tokens = [offer[len(_SUBPROTOCOL) :] for offer in offered if offer.startswith(_SUBPROTOCOL)]
    rest = [offer for offer in offered if offer and not offer.startswith(_SUBPROTOCOL)]
    return (tokens[0] or None) if tokens else None, rest

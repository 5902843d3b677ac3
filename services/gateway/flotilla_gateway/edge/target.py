"""The target of a request line, read once (RFC 9112 section 3.2)."""

from collections.abc import Iterable

import httptools

from flotilla_gateway.forward.headers import Header, header


def read_target(target: bytes, headers: Iterable[Header]) -> tuple[bytes, bytes]:
    """Path and query; ValueError, or httptools's own, where it is none that a gateway is asked for.

    An address with scheme and host is taken where the host is the one that `Host` names: two answers to the question
    which host is meant are none.
    """
    if b"#" in target:
        raise ValueError("a fragment is not sent")
    if target[:1] == b"/":
        path, _, query = target.partition(b"?")
        return path, query
    url = httptools.parse_url(target)
    authority = url.host + (b":%d" % url.port if url.port else b"")
    if url.schema.lower() not in (b"http", b"https") or url.userinfo:
        raise ValueError("no address of ours")
    named = header(headers, b"host")
    if named is not None and named.lower() != authority.lower():
        raise ValueError("two hosts")
    return url.path or b"/", url.query or b""

"""Target and host of a request, read once (RFC 9112 section 3.2)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import httptools

from flotilla_gateway.forward.headers import Header, header

_HOST: Final = re.compile(
    rb"[A-Za-z0-9._~!$&'()*+;=%-]*(?::[0-9]*)?|\[[0-9A-Fa-f:.]+\](?::[0-9]*)?"
).fullmatch
OLD: Final = "1.0"


@lru_cache(maxsize=64)
def _is_host(value: bytes) -> bool:
    """Callers name the same few again and again."""
    return _HOST(value) is not None


def read_target(target: bytes, headers: Iterable[Header], version: str) -> tuple[bytes, bytes]:
    """Path and query; ValueError, or httptools's own, where it is none that a gateway is asked for.

    There is one `Host`, which only HTTP/1.0 may leave out. An address with scheme and host is taken where the host is
    the one that `Host` names: two answers to the question which host is meant are none.
    """
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 and (hosts or version != OLD):
        raise ValueError("a request has one Host")
    if hosts and not _is_host(hosts[0]):
        raise ValueError("a request has one Host")
    if b"#" in target:
        raise ValueError("a fragment is not sent")
    if target[:1] == b"/":
        path, _, query = target.partition(b"?")
        return path, query
    url = httptools.parse_url(target)
    authority = url.host + (b":%d" % url.port if url.port else b"")
    if url.schema.lower() not in (b"http", b"https") or url.userinfo:
        raise ValueError("no address of ours")
    if not hosts or hosts[0].lower() != authority.lower():
        raise ValueError("two hosts")
    return url.path or b"/", url.query or b""


def announces_body(headers: Iterable[Header]) -> bool:
    """Whether something follows the head."""
    length = header(headers, b"content-length")
    return header(headers, b"transfer-encoding") is not None or (length or b"0") != b"0"

"""Target and host of a request, read once (RFC 9112 section 3.2)."""

import re
from collections.abc import Iterable, Mapping, Sequence
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


def read_target(
    target: bytes, headers: Sequence[Header], fields: Mapping[bytes, bytes], version: str
) -> tuple[bytes, bytes]:
    """Path and query; ValueError, or httptools's own, where it is none that a gateway is asked for.

    `fields`: the headers by name. There is one `Host`, which only HTTP/1.0 may leave out. An address with scheme and
    host is taken where the host is the one that `Host` names: two answers to the question which host is meant are none.
    """
    host = fields.get(b"host")
    if host is None and version != OLD:
        raise ValueError("a request has one Host")
    if host is not None and (_comes_twice(b"host", headers, fields) or not _is_host(host)):
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
    if host is None or host.lower() != authority.lower():
        raise ValueError("two hosts")
    return url.path or b"/", url.query or b""


def _comes_twice(wanted: bytes, headers: Sequence[Header], fields: Mapping[bytes, bytes]) -> bool:
    """Whether there is more than one such field; `fields`: all of them, by name."""
    return len(fields) != len(headers) and sum(name == wanted for name, _ in headers) > 1


def expects_continue(headers: Iterable[Header]) -> bool:
    """Whether the caller waits to be asked for the body (RFC 9110 section 10.1.1)."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)


def announces_body(headers: Iterable[Header]) -> bool:
    """Whether something follows the head."""
    length = header(headers, b"content-length")
    return header(headers, b"transfer-encoding") is not None or (length or b"0") != b"0"

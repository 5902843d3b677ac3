"""Paths that two parsers could read differently are refused before anything looks at them."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from flotilla.problems import BadRequestError, UriTooLongError

MAX_TARGET_BYTES: Final = 8 * 1024

_PLAIN: Final = re.compile(rb"(?:/[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*)+").fullmatch
"""What nearly every path looks like: unreserved characters, no segment that is empty or starts with a dot."""
_SPELLED: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})+").fullmatch
_CONTROLS: Final = frozenset(range(0x20)) | {0x7F}


def check_path(raw_path: bytes, query: bytes) -> None:
    """A 400 or 414 problem for a path that is not spelt plainly (RFC 3986 sections 3.3 and 6.2.2)."""
    if len(raw_path) + len(query) > MAX_TARGET_BYTES:
        raise UriTooLongError(f"An address may have {MAX_TARGET_BYTES} bytes.")
    if not _PLAIN(raw_path):
        _check_spelling(raw_path)


def _check_spelling(raw_path: bytes) -> None:
    if not _SPELLED(raw_path) or raw_path[:1] != b"/":
        raise BadRequestError("The path has characters that must be percent-encoded.")
    for segment in raw_path[1:].split(b"/"):
        plain = unquote_to_bytes(segment)
        if b"/" in plain or b"\\" in plain:
            raise BadRequestError("The path has an encoded slash or backslash in a segment.")
        if plain in (b".", b".."):
            raise BadRequestError("The path has a dot segment; send it resolved.")
        if _CONTROLS.intersection(plain):
            raise BadRequestError("The path has a control character.")
        _check_text(plain)
    if b"//" in raw_path:
        raise BadRequestError("The path has an empty segment.")


def _check_text(plain: bytes) -> None:
    try:
        plain.decode()
    except UnicodeDecodeError:
        raise BadRequestError("The path is not UTF-8.") from None

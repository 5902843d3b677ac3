"""The console and the chat widget's script: a folder of built files, read and compressed once at the start.

What is asked for is looked up among those files by its whole path, so no path leads anywhere else. Names with a hash of
their content may be kept for good; all others are asked after each time, and answered 304 where nothing changed.
Paths that name no file are the console's own (`/contacts/…`): its first page answers them.
"""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import structlog
from flotilla.instance import project_root
from flotilla.problems import NotFoundError

from flotilla_gateway.edge import security
from flotilla_gateway.forward.headers import Header
from flotilla_gateway.forward.passage import Outcome, Send
from flotilla_gateway.visit import Visit

log = structlog.get_logger()

BUILT: Final = "web/dist"
"""Of a checkout: where web/ is built."""
ROUTE: Final = "console"
"""What logs and metrics call all of it."""
METHODS: Final = ("GET", "HEAD")
INDEX: Final = "/index.html"
WIDGET: Final = ("/widget.js", "/widget/")
"""What other sites load; the rest is for the console's own origin."""

_IMMUTABLE: Final = (b"cache-control", b"public, max-age=31536000, immutable")
_REVALIDATED: Final = (b"cache-control", b"no-cache")
_VARY: Final = (b"vary", b"accept-encoding")
_HASHED: Final = re.compile(r"/assets/.*[-.][A-Za-z0-9_-]{8,}\.\w+(?:\.map)?").fullmatch
"""As bundlers name what they make: the hash stands before the ending, in a folder that holds nothing else."""
_RESERVED: Final = re.compile(
    rb"/(?:v\d+|docs|problems|openapi\.json|healthz?|readyz|metrics)(?:/.*)?"
).fullmatch
"""The API's, present and future, and the gateway's own pages."""
_TEXT: Final = re.compile(
    r"text/.*|application/(?:javascript|json|manifest\+json|wasm|xml)|image/svg\+xml"
).fullmatch
_WORTH_COMPRESSING: Final = 1024
_CHUNK: Final = 64 * 1024
"""At once, so that a caller who reads slowly holds no whole file."""
_SIBLINGS: Final = ((b"br", ".br"), (b"gzip", ".gz"))
"""What a build may have compressed itself, the best first."""
_PACKED: Final = tuple(ending for _, ending in _SIBLINGS)
_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class Form:
    """One encoding of a file."""

    body: bytes
    etag: bytes
    encoding: bytes | None = None


@dataclass(frozen=True, slots=True)
class File:
    """One file, as it is and compressed."""

    path: str
    plain: Form
    headers: tuple[Header, ...]
    compressed: Mapping[bytes, Form] = field(default_factory=dict)
    """By encoding, the best first."""

    def form(self, accepted: bytes | None) -> Form:
        """The best of what is accepted (RFC 9110 section 12.5.3)."""
        if not accepted or not self.compressed:
            return self.plain
        coded = _accepted(accepted)
        return next((form for name, form in self.compressed.items() if name in coded), self.plain)


class Console:
    """All files of one folder."""

    def __init__(self, files: Mapping[str, File]) -> None:
        self._files = files

    @classmethod
    def load(cls, folder: Path | None) -> "Console | None":
        """Of this folder, or of a checkout's web/dist; None where that has no first page."""
        found = folder or project_root() / BUILT
        if not (found / INDEX[1:]).is_file():
            if folder is not None:
                log.warning("console.absent", folder=str(folder))
            return None
        return cls({file.path: file for file in _read(found.resolve())})

    def find(self, method: str, path: bytes, fields: Mapping[bytes, bytes]) -> File | None:
        """The file that answers; None where it is not the console's. A 404 problem for a file that there is not."""
        if method not in METHODS or _RESERVED(path):
            return None
        wanted = unquote(path.decode("ascii"))
        file = self._files.get(INDEX if wanted == "/" else wanted)
        if file is not None:
            return file
        if "." in wanted.rpartition("/")[2] and b"text/html" not in fields.get(b"accept", b""):
            raise NotFoundError("There is no such file.")
        return self._files[INDEX]


async def answer(visit: Visit, file: File, send: Send) -> Outcome:
    """200, or 304 where the caller has it."""
    visit.route = ROUTE
    form = file.form(visit.fields.get(b"accept-encoding"))
    https = visit.caller.scheme == "https"
    headers = [*file.headers, (b"etag", form.etag), (b"x-request-id", visit.request_id)]
    headers += [security.HSTS] if https else []
    if _has(visit.fields.get(b"if-none-match"), form.etag):
        kept = [header for header in headers if header[0] != b"content-type"]
        await _send(send, 304, kept, b"")
        return Outcome(304, 0)
    if form.encoding is not None:
        headers.append((b"content-encoding", form.encoding))
    headers.append((b"content-length", b"%d" % len(form.body)))
    body = b"" if visit.method == "HEAD" else form.body
    await _send(send, 200, headers, body)
    return Outcome(200, len(body))


async def _send(send: Send, status: int, headers: list[Header], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for at in range(0, len(body), _CHUNK):
        part = body[at : at + _CHUNK]
        await send({"type": "http.response.body", "body": part, "more_body": at + _CHUNK < len(body)})
    if not body:
        await send({"type": "http.response.body", "body": b""})


def _read(folder: Path) -> Iterator[File]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = name.startswith(".") or "/." in name
        # What a link leads to may lie anywhere; only what lies here is meant to be seen.
        inside = path.is_file() and path.resolve().is_relative_to(folder)
        if inside and not hidden and path.suffix not in _PACKED:
            yield _file(path, f"/{name}")


def _file(path: Path, name: str) -> File:
    body = path.read_bytes()
    guessed = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    tag = hashlib.sha256(body).hexdigest()[:32]
    compressed = {}
    if _TEXT(guessed) and len(body) >= _WORTH_COMPRESSING:
        for encoding, ending in _SIBLINGS:
            sibling = path.with_name(path.name + ending)
            if sibling.is_file():
                compressed[encoding] = sibling.read_bytes()
        compressed.setdefault(b"gzip", gzip.compress(body, mtime=0))
    forms = {
        encoding: Form(packed, f'"{tag}-{encoding.decode()}"'.encode(), encoding)
        for encoding, packed in compressed.items()
    }
    kind = f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed
    headers = (
        (b"content-type", kind.encode()),
        _IMMUTABLE if _HASHED(name) else _REVALIDATED,
        *((_VARY,) if forms else ()),
        *(security.WIDGET if name.startswith(WIDGET) else security.CONSOLE),
    )
    return File(name, Form(body, f'"{tag}"'.encode()), headers, forms)


def _accepted(written: bytes) -> set[bytes]:
    """Codings that may be sent: those with a weight of zero are refused."""
    accepted = set()
    for item in written.lower().split(b","):
        coding, _, weight = item.partition(b";")
        if weight.strip().removeprefix(b"q=").strip(b"0. ") or not weight.strip():
            accepted.add(coding.strip())
    return accepted


def _has(known: bytes | None, etag: bytes) -> bool:
    """Whether the caller has this very form (RFC 9110 section 13.1.2)."""
    if known is None:
        return False
    tags = [tag.strip().removeprefix(b"W/") for tag in known.split(b",")]
    return etag in tags or tags == [b"*"]

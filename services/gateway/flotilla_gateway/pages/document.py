"""The merged OpenAPI document, as it is routed by and as it is served."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from flotilla.instance import project_root

NAMES: Final = ("openapi.json", "openapi.yaml")
EMPTY: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {"title": "Flotilla", "version": "0"},
    "paths": {},
}


@dataclass(frozen=True, slots=True)
class Document:
    """Read once at the start: it changes with the code."""

    content: dict[str, Any]
    body: bytes
    compressed: bytes
    etag: str

    @classmethod
    def load(cls, path: Path | None) -> "Document":
        """The file of that path, or contracts/openapi.json or .yaml; a document without paths if there is none."""
        found = path or next((file for file in _candidates() if file.is_file()), None)
        if found is None:
            return cls.of(EMPTY)
        raw = found.read_bytes()
        return cls.of(msgspec.yaml.decode(raw) if found.suffix == ".yaml" else msgspec.json.decode(raw))

    @classmethod
    def of(cls, content: dict[str, Any]) -> "Document":
        """A document already read."""
        body = msgspec.json.encode(content)
        return cls(content, body, gzip.compress(body, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _candidates() -> list[Path]:
    return [project_root() / "contracts" / name for name in NAMES]

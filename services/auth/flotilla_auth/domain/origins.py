"""Origins of web pages (RFC 6454), as an organization lists those that may call the API for its people."""

import re
from typing import Final
from urllib.parse import urlsplit

MOST_ORIGINS: Final = 20
LONGEST_ORIGIN: Final = 253 + len("https://") + len(":65535")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}")
_OWN_MACHINE: Final = frozenset({"localhost", "127.0.0.1"})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def origin(text: str) -> str:
    """As browsers write it, or ValueError that says what it is not: a page on http can be changed on its way."""
    parts = urlsplit(text)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("has a port that is none") from None
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host) or parts.username is not None:
        raise ValueError(
            "is no origin: write it as https://app.example.com, hosts of other scripts in Punycode"
        )
    if parts.scheme == "http" and host not in _OWN_MACHINE:
        raise ValueError("must begin with https://")
    written = f"{parts.scheme}://{host}"
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        written += f":{port}"
    if text.lower().rstrip("/") not in (written, f"{written}:{port}"):
        raise ValueError("has more than scheme, host and port")
    return written


def origins(texts: list[str]) -> list[str]:
    """All of them, each once."""
    return list(dict.fromkeys(origin(text) for text in texts))

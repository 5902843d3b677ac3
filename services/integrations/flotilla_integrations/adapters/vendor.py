"""Asking vendors that speak JSON over HTTP, and checking what they signed."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
from flotilla.bus.declare import RetryLater
from flotilla.outside_http import OutsideHttp, OutsideUncertainError, OutsideUnreachableError
from flotilla.problems import BadRequestError

from flotilla_integrations.adapters.base import (
    AccountRefusedError,
    NotReachedError,
    RefusedError,
    UnconfirmedError,
)

ASK_SECONDS: Final = 15.0
LONGEST_WAIT: Final = 3600


def signature(secret: str, *parts: bytes) -> str:
    """HMAC-SHA256 in base64, as shops and CRMs sign."""
    digest = hmac.new(secret.encode(), b"".join(parts), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def same(given: str | None, wanted: str) -> bool:
    """Whether two secrets or signatures are the same, in the same time whether or not they are."""
    return hmac.compare_digest((given or "").encode(), wanted.encode())


def decoded(body: bytes) -> Any:
    """What a vendor sent; a 400 problem where it is no JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequestError("The body is not valid JSON.") from None


async def ask(
    http: OutsideHttp,
    name: str,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    json: Any = None,
    repeatable: bool | None = None,
) -> Any:
    """A vendor's answer; AdapterError or RetryLater where it is none. `name` is the vendor's, for people."""
    try:
        answer = await http.request(
            method, url, json=json, headers=headers, limit=ASK_SECONDS, repeatable=repeatable
        )
    except OutsideUnreachableError:
        raise NotReachedError(f"{name} cannot be reached.") from None
    except OutsideUncertainError:
        raise UnconfirmedError(f"{name} took the request and did not answer.") from None
    if answer.status in (401, 403):
        raise AccountRefusedError(f"{name} does not accept the credentials.")
    if answer.status == 429:
        said = next((value for key, value in answer.headers.items() if key.lower() == "retry-after"), "1")
        seconds = float(said) if said.replace(".", "", 1).isdigit() else 1.0
        raise RetryLater(timedelta(seconds=min(max(seconds, 1), LONGEST_WAIT)), f"{name}: too many requests")
    if answer.status >= 500:
        raise UnconfirmedError(f"{name} answered {answer.status}.")
    if answer.status >= 400:
        raise RefusedError(f"{name} refused it: it answered {answer.status}.")
    try:
        return answer.json() if answer.body else None
    except msgspec.DecodeError:
        raise UnconfirmedError(f"{name} answered in a way that cannot be read.") from None

"""What a request says beside its body: the device it comes from, and in whose name things happen."""

import ipaddress
from dataclasses import replace
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Request, Response
from flotilla.cause import Cause
from flotilla.http import Work

from flotilla_auth.store.sessions import Device

_LONGEST_USER_AGENT: Final = 256


def _device(request: Request) -> Device:
    agent = "".join(
        character for character in request.headers.get("user-agent", "") if character.isprintable()
    )
    return Device(_address(request), agent[:_LONGEST_USER_AGENT] or None)


def _address(request: Request) -> str | None:
    """As the gateway says it: it replaces what a caller sends under this name."""
    said = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(said))
    except ValueError:
        return None


def _no_store(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


FromDevice = Annotated[Device, Depends(_device)]
"""The caller's device."""
NoStore = Depends(_no_store)
"""For answers that hold a token (RFC 6749 section 5.1)."""


def in_the_name_of(user_id: UUID, work: Work) -> Cause:
    """The request's cause, once it is known who asks."""
    return replace(work.cause, actor=f"user:{user_id}")

"""Hooks: where vendors, and organizations' own programs, send what comes in. They prove themselves."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from fastapi import Request
from flotilla.events.transient import ChannelTyping
from flotilla.http import CurrentApp, NotFoundError, Routes, Work
from flotilla.http.bodies import raw_body
from flotilla.problems import GoneError, Problem, TooLargeError
from prometheus_client import Counter

from flotilla_integrations.adapters import ADAPTERS
from flotilla_integrations.adapters.base import HookRequest
from flotilla_integrations.api.schemas import HookAnswer
from flotilla_integrations.connectors import taking
from flotilla_integrations.domain import identity_id
from flotilla_integrations.events import AUDIENCE
from flotilla_integrations.own import own

routes = Routes("/v1/hooks", tag="hooks")

MAX_BYTES: Final = 256 * 1024
HOOKS: Final = Counter("flotilla_hooks_total", "Webhooks, by what became of them", ["connector", "outcome"])


@routes.post(
    "/{connector}/{account_id}",
    permission="public",
    limit="hook",
    sent=raw_body("*/*"),
    plain=True,
    responses={401: {}},
)
async def receive_hook(
    connector: str, account_id: str, request: Request, app: CurrentApp, work: Work
) -> HookAnswer:
    """Take what the channel sent. The answer comes after the commit: what was answered 200 is not lost.

    The same message sent again is the same message. 401 for a wrong secret or signature, 404 for an unknown
    account, 410 for a disconnected one; what is of a kind not taken yet is acknowledged and counted.
    """
    try:
        outcome = await _take(connector, account_id, request, app, work)
    except Problem as problem:
        HOOKS.labels(connector if connector in ADAPTERS else "unknown", f"refused_{problem.status}").inc()
        raise
    HOOKS.labels(connector, outcome).inc()
    return HookAnswer()


async def _take(connector: str, account_id: str, request: Request, app: CurrentApp, work: Work) -> str:
    held = own(app)
    known = await held.directory.find(_uuid(account_id))
    if known is None or known.account.connector != connector:
        raise NotFoundError("There is no such account.")
    if known.adapter is None or not known.is_open:
        raise GoneError("The account was disconnected: send nothing more.")
    event = HookRequest(_headers(request), await _body(request), datetime.now(UTC))
    intake = await known.adapter.webhook(event)
    if intake.unsupported is not None:
        return f"unsupported_{intake.unsupported}"
    if intake.typing is not None:
        account = known.account
        typing = ChannelTyping(
            account_id=account.id,
            channel=connector,
            identity_id=identity_id(connector, account.id, intake.typing),
        )
        await app.transient.tell(typing, org=account.organization_id, audience=AUDIENCE, cause=work.cause)
        return "typing"
    if await taking.take(app, known.account, intake, work.cause):
        return "accepted"
    await held.intake.take(known.account, intake, work.cause)
    return "accepted"


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError("There is no such account.") from None


def _headers(request: Request) -> dict[str, str]:
    """By lower-case name, of a repeated one the first: as Starlette has them, which decodes all to find each."""
    return {
        name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(request.scope["headers"])
    }


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            raise TooLargeError(f"A webhook has at most {MAX_BYTES} bytes.")
        parts.append(part)
    return b"".join(parts)

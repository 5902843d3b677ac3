"""What somebody did and no event tells of, told as a request: so that the audit log has every act.

Most changes emit events of their own, with old and new values. A request that changed something and emitted nothing
(settings, reports, what is only begun) is told by `request.performed`, in the transaction that changed it: the
request's own, or the first that the route commits by itself (flotilla.store.telling). Reading is no act; nor are what
webhooks, and people who are not signed in, send: of these the services tell themselves.
"""

import time
from typing import Any, Final

import msgspec
import structlog
from fastapi import Request, Response

from flotilla.cause import Telling
from flotilla.events.analytics import RequestPerformed
from flotilla.http.work import RequestWork, route_of
from flotilla.security.permissions import PUBLIC
from flotilla.security.principal import ANONYMOUS
from flotilla.store.postgres import Transaction
from flotilla.telemetry import metrics

log = structlog.get_logger()

FIELDS: Final = "fields"
VALUES: Final = "values"
NOTHING: Final = "nothing"
AUDITED: Final = (FIELDS, VALUES, NOTHING)
"""What is told of a body: the names of its fields; their values too, where nothing in it is personal or secret; and of
requests that keep nothing (typing, previews, parts of a file) nothing at all."""
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST: Final = 8192
MOST_FIELDS: Final = 50


def owed(work: RequestWork, request: Request, permission: str, audited: str) -> Telling:
    """What a request that begins owes the audit log."""
    if audited == NOTHING or request.method in READING or work.who is ANONYMOUS or permission == PUBLIC:
        return Telling()
    return Telling(deed=lambda tx: _emit(tx, work, _deed(work, request, None, audited)))


async def tell(
    work: RequestWork, request: Request, response: Response, telling: Telling, audited: str
) -> None:
    """Tell of a request that was answered, where it owes it still."""
    if telling.deed is None or telling.told or response.status_code >= 400:
        return
    if work.transaction is not None:
        if not work.transaction.emitted:
            _emit(work.transaction, work, _deed(work, request, response, audited))
        return
    if telling.changed_alone:
        route = route_of(request)
        metrics.UNTOLD.labels(route).inc()
        log.error("deed.late", route=route)
    # It has changed nothing, in no transaction, and is an act nevertheless: a token was signed, say.
    async with work.app.db.transaction(work.who.org, cause=work.cause) as tx:
        _emit(tx, work, _deed(work, request, response, audited))


def _emit(tx: Transaction, work: RequestWork, deed: RequestPerformed) -> None:
    # Nobody counts requests about a thing: the clock does.
    tx.emit(deed, org=work.who.org, sequence=time.time_ns() // 1000, cause=work.cause)


def _deed(work: RequestWork, request: Request, response: Response | None, audited: str) -> RequestPerformed:
    """Of a request that is not answered yet, what it made has no name."""
    body = _body(request)
    parameters = {name: str(value)[:200] for name, value in request.path_params.items()}
    request_id = work.app.new_id()
    route = route_of(request)
    made = response.headers.get("location", "").rpartition("/")[2] if response is not None else ""
    # Of what there is one of in an organization, its path is the name.
    alone = str(request_id) if request.method == "POST" else route
    thing = made or next(reversed(parameters.values()), None) or alone
    values = body if audited == VALUES and len(msgspec.json.encode(body)) <= LONGEST else {}
    return RequestPerformed(
        request_id=request_id,
        thing_id=thing[:200],
        method=request.method,
        route=route,
        parameters=parameters,
        fields=sorted(body)[:MOST_FIELDS],
        values=values,
    )


def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent; of files, which are read as they come, nothing."""
    try:
        body = msgspec.json.decode(getattr(request, "_body", b"") or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return {}
    return {name[:64]: value for name, value in body.items()} if isinstance(body, dict) else {}

"""What somebody did and no event tells of, told as a request: so that the audit log has every act.

Most changes emit events of their own, with old and new values. A request that changed something and emitted nothing
(settings, reports, what is only begun) is told by `request.performed`, in its transaction where it has one. Reading is
no act; nor are what webhooks, and people who are not signed in, send: of these the services tell themselves.
"""

import time
from typing import Any, Final

import msgspec
from fastapi import Request, Response

from flotilla.cause import Telling
from flotilla.events.analytics import RequestPerformed
from flotilla.http.work import RequestWork
from flotilla.security.permissions import PUBLIC
from flotilla.security.principal import ANONYMOUS
from flotilla.store.postgres import Transaction

FIELDS: Final = "fields"
VALUES: Final = "values"
NOTHING: Final = "nothing"
AUDITED: Final = (FIELDS, VALUES, NOTHING)
"""What is told of a body: the names of its fields; their values too, where nothing in it is personal or secret; and of
requests that keep nothing (typing, previews, parts of a file) nothing at all."""
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST: Final = 8192
MOST_FIELDS: Final = 50


async def tell(
    work: RequestWork, request: Request, response: Response, telling: Telling, audited: str
) -> None:
    """Tell of a request that was answered, where it did something that no event of it tells."""
    if telling.told or audited == NOTHING or request.method in READING or response.status_code >= 400:
        return
    deed = _deed(work, request, response, audited)
    if work.transaction is not None:
        _emit(work.transaction, work, deed)
        return
    # What it did is committed: this follows at once, and the request fails where it cannot.
    async with work.app.db.transaction(work.who.org, cause=work.cause) as tx:
        _emit(tx, work, deed)


def is_somebodys(work: RequestWork, permission: str) -> bool:
    """Whether somebody who is signed in asks, for what takes that."""
    return work.who is not ANONYMOUS and permission != PUBLIC


def _emit(tx: Transaction, work: RequestWork, deed: RequestPerformed) -> None:
    # Nobody counts requests about a thing: the clock does.
    tx.emit(deed, org=work.who.org, sequence=time.time_ns() // 1000)


def _deed(work: RequestWork, request: Request, response: Response, audited: str) -> RequestPerformed:
    body = _body(request)
    parameters = {name: str(value)[:200] for name, value in request.path_params.items()}
    request_id = work.app.new_id()
    route = getattr(request.scope.get("route"), "path", "")
    made = response.headers.get("location", "").rpartition("/")[2]
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

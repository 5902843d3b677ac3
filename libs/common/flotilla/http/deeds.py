"""What somebody did and no event tells of, told as a request: so that the audit log has every act.

Most changes emit events of their own, with old and new values. A request that changed something and emitted nothing
(settings, reports, what is only begun) is told by `request.performed`, in the transaction that changed it: the
request's own, or the first that the route commits by itself (flotilla.store.telling). Reading is no act; nor are what
webhooks, and people who are not signed in, send: of these the services tell themselves.

A route that changes something and has no event for it says what it was and is: `note_change(before, after)`. That is
sealed in the archive, so it may be personal; what is secret it leaves out.
"""

import hashlib
import time
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec
import structlog
from fastapi import Request, Response
from pydantic import BaseModel

from flotilla.cause import Telling, current_telling
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
STAMPS: Final = frozenset({"updated_at", "updated_by"})
"""What the event says itself."""
LONGEST_VALUE: Final = 4096
"""Bytes of JSON of an old or a new value; of a longer one its size and hash are told."""
LARGEST: Final = 32 * 1024
"""Of all of them; with the rest of its event that is less than an event may have."""
State: TypeAlias = BaseModel | Mapping[str, Any] | None
MOST_FIELDS: Final = 50


def note_change(before: State, after: State, *, user_id: UUID | None = None) -> None:
    """Have the audit log told each field's old and new value, of what differs; `user_id`: whose data they are.

    A model or a mapping, without what is secret; None of what was not there, or is not any more. Of what has an event
    of its own with `changed` there is nothing to note.
    """
    telling = current_telling.get()
    if telling is None:
        return
    old, new = _plain(before), _plain(after)
    names = [name for name in {**old, **new} if name not in STAMPS and old.get(name) != new.get(name)]
    pairs = {name: [_short(old.get(name)), _short(new.get(name))] for name in names[:MOST_FIELDS]}
    if len(msgspec.json.encode(pairs)) > LARGEST:
        pairs = {name: [_digest(each) for each in pair] for name, pair in pairs.items()}
    telling.old_and_new, telling.user_id = pairs, user_id


def owed(work: RequestWork, request: Request, permission: str, audited: str) -> Telling:
    """What a request that begins owes the audit log."""
    if audited == NOTHING or request.method in READING or work.who is ANONYMOUS or permission == PUBLIC:
        return Telling()
    telling = Telling()
    telling.deed = lambda tx: _emit(tx, work, _deed(work, request, None, audited, telling))
    return telling


async def tell(
    work: RequestWork, request: Request, response: Response, telling: Telling, audited: str
) -> None:
    """Tell of a request that was answered, where it owes it still."""
    if telling.deed is None or telling.told or response.status_code >= 400:
        return
    if work.transaction is not None:
        if not work.transaction.emitted or telling.old_and_new is not None:
            _emit(work.transaction, work, _deed(work, request, response, audited, telling))
            telling.deed = None
        return
    if telling.changed_alone:
        route = route_of(request)
        metrics.UNTOLD.labels(route).inc()
        log.error("deed.late", route=route)
    # It has changed nothing, in no transaction, and is an act nevertheless: a token was signed, say.
    async with work.app.db.transaction(work.who.org, cause=work.cause) as tx:
        _emit(tx, work, _deed(work, request, response, audited, telling))


def _emit(tx: Transaction, work: RequestWork, deed: RequestPerformed) -> None:
    # Nobody counts requests about a thing: the clock does.
    tx.emit(deed, org=work.who.org, sequence=time.time_ns() // 1000, cause=work.cause)


def _deed(
    work: RequestWork, request: Request, response: Response | None, audited: str, telling: Telling
) -> RequestPerformed:
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
        fields=sorted({*body, *(telling.old_and_new or ())})[:MOST_FIELDS],
        values=values,
        old_and_new=telling.old_and_new,
        user_id=telling.user_id,
    )


def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent; of files, which are read as they come, nothing."""
    try:
        body = msgspec.json.decode(getattr(request, "_body", b"") or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return {}
    return {name[:64]: value for name, value in body.items()} if isinstance(body, dict) else {}


def _plain(state: State) -> dict[str, Any]:
    """As JSON has it."""
    if isinstance(state, BaseModel):
        return state.model_dump(mode="json")
    plain: dict[str, Any] = msgspec.to_builtins(dict(state or {}), str_keys=True)
    return plain


def _short(value: Any) -> Any:
    return value if len(msgspec.json.encode(value)) <= LONGEST_VALUE else _digest(value)


def _digest(value: Any) -> Any:
    """Enough to tell whether it was another one."""
    if value is None:
        return None
    encoded = msgspec.json.encode(value)
    return {"bytes": len(encoded), "sha256": hashlib.sha256(encoded).hexdigest()}

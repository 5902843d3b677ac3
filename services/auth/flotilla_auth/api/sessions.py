"""/v1/sessions: where the caller is signed in."""

from datetime import datetime
from uuid import UUID

from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_TIME

from flotilla_auth import sessions
from flotilla_auth.api.views import View
from flotilla_auth.domain.devices import device_name
from flotilla_auth.domain.entities import Session
from flotilla_auth.store import sessions as store
from flotilla_auth.store import users

routes = Routes("/v1/sessions", tag="sessions")


class SessionView(View):
    """A device on which the caller is signed in."""

    id: UUID
    method: str
    address: str | None
    user_agent: str | None
    device: str
    """What people call it: `Firefox on Windows`."""
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    current: bool
    """Whether this very request belongs to it."""


@routes.get("", permission="profile:read")
async def list_sessions(
    tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[SessionView]:
    """The caller's live sessions, the latest first, or as `sort` says."""
    order = BY_TIME[sort]
    rows = await store.page(tx, who.org, who.user_id, order, query.place(sort, order), query.limit + 1)
    return query.page([_view(session, who.session_id) for session in rows], sort, order)


@routes.delete("", permission="profile:write", status_code=204)
async def end_other_sessions(tx: Tx, who: Who) -> None:
    """End all of the caller's sessions in this organization but this one."""
    await users.hold(tx, who.org, who.user_id)
    await sessions.end_everywhere(tx, [who.org], who.user_id, "revoked", but=who.session_id)


@routes.delete("/{session_id}", permission="profile:write", status_code=204)
async def end_session(session_id: UUID, tx: Tx, who: Who) -> None:
    """End one of the caller's sessions; one that has ended already stays so."""
    session = await store.lock(tx, who.org, session_id)
    if session is None or session.user_id != who.user_id:
        raise NotFoundError("You have no such session.")
    await sessions.end(tx, who.org, session_id, "revoked")


def _view(session: Session, current: UUID) -> SessionView:
    return SessionView(
        id=session.id,
        method=session.method,
        address=session.address,
        user_agent=session.user_agent,
        device=device_name(session.user_agent),
        created_at=session.created_at,
        used_at=session.used_at,
        expires_at=session.expires_at,
        current=session.id == current,
    )

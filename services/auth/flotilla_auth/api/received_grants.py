"""/v1/organization/received-grants: what others let the caller's organization do, and doing it."""

from typing import Final, Literal
from uuid import UUID

from flotilla.events.sharing import OrganizationGrantAccepted
from flotilla.http import ConflictError, ForbiddenError, NotFoundError, Page, PageQuery, Routes, Who, Work
from flotilla.http.sorting import ByTime
from flotilla.security.permissions import ALL
from flotilla.security.sharing import shared
from flotilla.store.order import BY_TIME
from pydantic import BaseModel

from flotilla_auth import children, grants, parenthood
from flotilla_auth.api.grants import GrantView, check_owner, end
from flotilla_auth.api.requests import FromDevice, NoStore
from flotilla_auth.api.views import SignedIn
from flotilla_auth.resources import own
from flotilla_auth.store import grants as store
from flotilla_auth.store import organizations
from flotilla_auth.store import sessions as session_store
from flotilla_auth.store.grants import Grant

NOT_THERE: Final = "Your organization has received no such grant."

NO_PROGRAMS: Final = (
    "People read by a grant, under their own name. For a program, ask the other organization for an API key or an "
    "OAuth client of theirs, with the same permissions as scopes."
)


class ProgramsAreNoGuestsError(ForbiddenError):
    """A program acts for the organization that made its key, and for no other; `detail` says what to do."""

    slug, title = "programs-are-no-guests", "Programs read by a key of the organization whose things they are"


routes = Routes("/v1/organization/received-grants", tag="organization")


class GuestTokenView(BaseModel):
    """Send it as `Authorization: Bearer`: what it reads is the other organization's."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int
    """Seconds."""
    organization_id: UUID
    """Whose things they are."""
    permissions: list[str]
    """What is granted, of what the caller may at home."""


@routes.get("", permission="organization:read")
async def list_received_grants(
    work: Work, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[GrantView]:
    """What others let this organization do, the newest first, or as `sort` says."""
    order = BY_TIME[sort]
    after = query.place(sort, order)
    async with work.app.db.transaction(who.org) as tx:
        received = query.page(await store.received(tx, who.org, order, after, query.limit + 1), sort, order)
    async with work.app.db.transaction({each.grantor_id for each in received.items}) as tx:
        found = await store.of_grantors(tx, received.items)
    return Page(items=[GrantView.model_validate(each) for each in found], next_cursor=received.next_cursor)


@routes.get("/{received_grant_id}", permission="organization:read")
async def read_received_grant(received_grant_id: UUID, work: Work, who: Who) -> GrantView:
    """One of them."""
    return GrantView.model_validate(await _known(work, who.org, received_grant_id))


@routes.post("/{received_grant_id}/accept", permission="organization:write", recent=True)
async def accept_grant(received_grant_id: UUID, work: Work, who: Who) -> GrantView:
    """Look after the other organization from now on, as it has offered; an owner may. 409 where it does not.

    It takes an enterprise plan: else 403 `feature-not-included`, or 402 `limit-reached`.
    """
    check_owner(who)
    known = await _known(work, who.org, received_grant_id)
    async with work.app.db.transaction([known.organization_id, who.org], cause=work.cause) as tx:
        held = await store.lock(tx, known.organization_id, known.id)
        if held is None or held.state != "offered":
            raise ConflictError("It is not offered: it is good already, or has ended.")
        await parenthood.check(tx, who.org)
        if await store.has_parent(tx, known.organization_id):
            raise ConflictError("Another organization looks after it.")
        now = await store.accept(tx, held)
        grants.tell(tx, OrganizationGrantAccepted, now)
    return GrantView.model_validate(now)


@routes.delete("/{received_grant_id}", permission="organization:write", recent=False, status_code=204)
async def give_up_grant(received_grant_id: UUID, work: Work, who: Who) -> None:
    """Have nothing to do with it any more; one that has ended stays so."""
    check_owner(who)
    await end(work, await _known(work, who.org, received_grant_id), who.org)


@routes.post(
    "/{received_grant_id}/token", permission="organization:read", status_code=201, dependencies=[NoStore]
)
async def issue_guest_token(received_grant_id: UUID, work: Work, who: Who) -> GuestTokenView:
    """An access token that reads what is granted, and that the caller may read at home; for a quarter of an hour.

    Every read with it stands in the other organization's audit. It is refused once the grant or the caller's session
    has ended. 409 where the grant is not good, or its organization demands a second factor and the caller came without;
    403, `programs-are-no-guests`, for programs.
    """
    if who.scopes is not None:
        raise ProgramsAreNoGuestsError(NO_PROGRAMS)
    known = await _known(work, who.org, received_grant_id)
    if known.kind != grants.DATA or not known.good:
        raise ConflictError("It lets nobody read: it is of another kind, or has ended.")
    may = shared(known.permissions, [each for each in known.permissions if who.scope(each) == ALL])
    if not may:
        raise ForbiddenError("You may read none of what it grants in your own organization either.")
    async with work.app.db.transaction([who.org, known.organization_id]) as tx:
        session = await session_store.lock(tx, who.org, who.session_id)
        grantor = await organizations.read(tx, known.organization_id)
    if session is None or session.ended_at is not None:
        raise ConflictError("Your session has ended: sign in again.")
    if grantor.second_factor_required and session.factors < 2:
        raise ConflictError("It demands a second factor: sign in with one, then ask again.")
    token, seconds = own(work.app).tokens.sign_guest(session, known, may)
    return GuestTokenView(
        access_token=token,
        expires_in=seconds,
        organization_id=known.organization_id,
        permissions=list(may),
    )


@routes.post(
    "/{received_grant_id}/sessions",
    permission="organization:read",
    recent=True,
    status_code=201,
    dependencies=[NoStore],
)
async def enter_child(received_grant_id: UUID, work: Work, who: Who, device: FromDevice) -> SignedIn:
    """Enter the organization that this one looks after, as an administrator of it; owners and administrators may.

    The child's audit tells who entered and what they did. 409 where it is not looked after.
    """
    if who.role not in grants.MANAGERS or who.grants is not None or who.scopes is not None:
        raise ForbiddenError("Owners and administrators of the parent organization may.")
    return await children.enter(work, who, await _known(work, who.org, received_grant_id), device)


async def _known(work: Work, org: UUID, grant_id: UUID) -> Grant:
    """A grant that this organization has received, as its grantor has it; a 404 problem where there is none."""
    async with work.app.db.transaction(org) as tx:
        grantor = await store.grantor_of(tx, org, grant_id)
    if grantor is None:
        raise NotFoundError(NOT_THERE)
    async with work.app.db.transaction(grantor) as tx:
        found = await store.read(tx, grantor, grant_id)
    if found is None:
        raise NotFoundError(NOT_THERE)
    return found

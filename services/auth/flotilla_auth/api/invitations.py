"""/v1/invitations: ways into the caller's organization."""

from datetime import UTC, datetime
from typing import Final, Self
from uuid import UUID

from fastapi import Response
from flotilla.events.auth import InvitationCreated, InvitationRevoked
from flotilla.http import ConflictError, NotFoundError, Page, PageQuery, Routes, Tx, Who, Work, set_etag
from flotilla.http.routes import check_recent
from flotilla.http.sorting import ByTime
from flotilla.security.permissions import ORG_WIDE_ROLES
from flotilla.security.reach import CLIENT
from flotilla.store.order import BY_TIME
from pydantic import Field, model_validator

from flotilla_auth import events
from flotilla_auth.acceptance import Newcomer, accept
from flotilla_auth.api.fields import Body, Email, Locale, Name, Password, Role, Token
from flotilla_auth.api.requests import FromDevice, NoStore
from flotilla_auth.api.users import acting
from flotilla_auth.api.views import SecondStep, SignedIn, View
from flotilla_auth.domain import roles
from flotilla_auth.domain.entities import Invitation
from flotilla_auth.domain.opaque import INVITATION_LIFETIME, digest, new_invitation_token
from flotilla_auth.mail import inviting
from flotilla_auth.resources import own
from flotilla_auth.store import invitations as store
from flotilla_auth.store import users

routes = Routes("/v1/invitations", tag="invitations")
WHEN_THEY_ADMINISTER: Final = "it is for an owner or an administrator"


class InvitationView(View):
    """An invitation; its state is `pending`, `accepted`, `revoked` or `expired`."""

    id: UUID
    email: str
    role: str
    invited_by: UUID
    state: str
    expires_at: datetime
    created_at: datetime
    contact_id: UUID | None

    @classmethod
    def of(cls, invitation: Invitation) -> Self:
        """As it stands now."""
        view = cls.model_validate(invitation)
        view.state = invitation.state_at(datetime.now(UTC))
        return view


class NewInvitationView(InvitationView):
    """Whoever is invited gets the token by mail, and nobody else; where no mail can be sent it stands in this answer
    alone: pass it on to the person, and to nobody else."""

    token: str | None = None


class Invite(Body):
    """Whom, and as what."""

    email: Email
    role: Role = "team_member"
    contact_id: UUID | None = Field(
        default=None, description="Of a `client`: the contact they are. They see what is this contact's."
    )

    @model_validator(mode="after")
    def _contact_of_a_client(self) -> Self:
        if self.contact_id is not None and self.role != CLIENT:
            raise ValueError("links nobody but a `client` to a contact")
        return self


class Accept(Body):
    """The token, and who comes. People who have a password here already give that one."""

    token: Token
    name: Name
    password: Password
    locale: Locale = "en"


@routes.post(
    "",
    permission="invitations:write",
    recent=WHEN_THEY_ADMINISTER,
    status_code=201,
    feature="seats",
    dependencies=[NoStore],
)
async def invite(body: Invite, work: Work, who: Who, response: Response) -> NewInvitationView:
    """Invite somebody: the token goes to their address by mail. Owners and administrators are invited by who has just
    proven who they are.

    409 where an invitation for this address is pending or somebody with it is in the organization: so a
    request sent twice invites once. The answer is not stored under an Idempotency-Key, as it may hold a secret.
    """
    if body.role in ORG_WIDE_ROLES:
        check_recent(who)
    token = None if own(work.app).smtp.is_configured else new_invitation_token()
    async with work.app.db.transaction(who.org, cause=work.cause) as tx:
        roles.check_grant(await acting(tx, who), body.role)
        if await users.has_email(tx, who.org, body.email):
            raise ConflictError("Somebody with this address is in your organization already.")
        made = await store.insert(
            tx,
            who.org,
            tx.app.new_id(),
            email=body.email,
            role=body.role,
            invited_by=who.user_id,
            lifetime=INVITATION_LIFETIME,
            token_hash=digest(token) if token else None,
            contact_id=body.contact_id,
        )
        if made is None:
            raise ConflictError("An invitation for this address is pending: revoke it to make another.")
        events.invitation(tx, InvitationCreated, made)
        if token is None:
            inviting.invite(tx, who.org, made.id, who.user_id)
    response.headers["Location"] = f"/v1/invitations/{made.id}"
    set_etag(response, made.sequence)
    view = NewInvitationView.of(made)
    view.token = token
    return view


@routes.get("", permission="invitations:write")
async def list_invitations(
    tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[InvitationView]:
    """All, the latest first."""
    order = BY_TIME[sort]
    rows = await store.page(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([InvitationView.of(row) for row in rows], sort, order)


@routes.get("/{invitation_id}", permission="invitations:write")
async def read_invitation(invitation_id: UUID, tx: Tx, who: Who, response: Response) -> InvitationView:
    """One of them."""
    invitation = _there(await store.read(tx, who.org, invitation_id))
    set_etag(response, invitation.sequence)
    return InvitationView.of(invitation)


@routes.delete("/{invitation_id}", permission="invitations:write", recent=False, status_code=204)
async def revoke_invitation(invitation_id: UUID, tx: Tx, who: Who) -> None:
    """Take it back; 409 where it was accepted."""
    revoked = await store.settle(tx, who.org, invitation_id, "revoked")
    if revoked is not None:
        events.invitation(tx, InvitationRevoked, revoked)
        return
    if _there(await store.read(tx, who.org, invitation_id)).state == "accepted":
        raise ConflictError("It was accepted: end the person's access instead.")


@routes.post("/accept", permission="public", limit="sign_in", status_code=201, dependencies=[NoStore])
async def accept_invitation(body: Accept, work: Work, device: FromDevice) -> SignedIn | SecondStep:
    """Join the organization that the token was made for; signed in at once, or half-way: `state` says which.

    404 where the token is not known or was used, 409 where the invitation has expired, 401 where the address
    has a password here and this is another.
    """
    newcomer = Newcomer(name=body.name, locale=body.locale, password=body.password)
    return await accept(work, digest(body.token.get_secret_value()), newcomer, device)


def _there(invitation: Invitation | None) -> Invitation:
    if invitation is None:
        raise NotFoundError("Your organization has no such invitation.")
    return invitation

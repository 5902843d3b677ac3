"""Accepting an invitation: by somebody new, or by somebody who is in another organization already."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from flotilla.events.auth import InvitationAccepted, UserCreated
from flotilla.http import ConflictError, NotFoundError
from flotilla.http.work import RequestWork
from flotilla.store.postgres import Transaction
from pydantic import SecretStr

from flotilla_auth import clients, entrance, events, ownership
from flotilla_auth.api.fields import check_password
from flotilla_auth.api.requests import in_the_name_of
from flotilla_auth.api.views import SecondStep, SignedIn
from flotilla_auth.domain.entities import Invitation, User
from flotilla_auth.mail import sending
from flotilla_auth.proof import prove
from flotilla_auth.resources import own
from flotilla_auth.store import credentials, invitations, users
from flotilla_auth.store.sessions import Device


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who comes."""

    name: str
    locale: str
    password: SecretStr


@dataclass(frozen=True, slots=True)
class Identity:
    """The person, and the hash of the password they choose now; None where they have one."""

    user_id: UUID
    password_hash: str | None


async def accept(
    work: RequestWork, token_hash: bytes, newcomer: Newcomer, device: Device
) -> SignedIn | SecondStep:
    """Make the invited person a member, and begin their session, or its second step."""
    app = work.app
    found = await invitations.find_token(app.db, token_hash)
    if found is None:
        raise NotFoundError("This invitation is not known, was accepted or was taken back.")
    organization_id, invitation_id = found["organization_id"], found["invitation_id"]
    async with app.db.transaction(organization_id, cause=work.cause) as tx:
        invitation = _open(await invitations.read(tx, organization_id, invitation_id))
    identity = await _identify(work, invitation.email, newcomer, device)
    cause = in_the_name_of(identity.user_id, work)
    everywhere = [*await credentials.memberships(app.db, identity.user_id), organization_id]
    async with app.db.transaction(everywhere, cause=cause) as tx:
        invitation = _open(await invitations.lock(tx, organization_id, invitation_id))
        user = await _join(tx, invitation, identity, newcomer)
        if found["mailed"]:
            await ownership.shown(tx, everywhere, user.id, anew=True)
        await _settle(tx, invitation, user)
        return await entrance.go_on(tx, user, method="invitation", device=device)


async def _identify(work: RequestWork, email: str, newcomer: Newcomer, device: Device) -> Identity:
    """Somebody who has a password here proves it is theirs; others choose one."""
    app, password = work.app, newcomer.password.get_secret_value()
    if await credentials.find(app.db, own(app).emails.of(email)):
        return Identity(await prove(app, email, password, device, work.cause), None)
    await check_password(app, newcomer.password, email, newcomer.name)
    return Identity(app.new_id(), await own(app).passwords.hash(password))


async def _join(tx: Transaction, invitation: Invitation, identity: Identity, newcomer: Newcomer) -> User:
    if identity.password_hash is not None:
        email_hash = own(tx.app).emails.of(invitation.email)
        if not await credentials.insert(tx, identity.user_id, email_hash, identity.password_hash):
            raise ConflictError("Somebody has just signed up with this address: use that password.")
    if not await credentials.join(tx, identity.user_id, invitation.organization_id):
        raise ConflictError("You are in this organization already: sign in.")
    return await users.insert(
        tx,
        invitation.organization_id,
        identity.user_id,
        email=invitation.email,
        name=newcomer.name,
        role=invitation.role,
        locale=newcomer.locale,
    )


async def _settle(tx: Transaction, invitation: Invitation, user: User) -> None:
    accepted = await invitations.settle(tx, invitation.organization_id, invitation.id, "accepted")
    assert accepted is not None, "held and pending"
    events.user(tx, UserCreated, user)
    if invitation.contact_id is not None:
        await clients.link(tx, user.organization_id, user.id, invitation.contact_id)
    credential = await credentials.read(tx, user.id)
    if credential is not None and credential["email_verified_at"] is None:
        sending.to_person(tx, sending.VERIFY, user.organization_id, user.id)
    events.invitation(tx, InvitationAccepted, accepted, user_id=user.id)


def _open(invitation: Invitation | None) -> Invitation:
    if invitation is None or invitation.state_at(datetime.now(UTC)) != "pending":
        raise ConflictError("This invitation has expired or was used: ask for another.")
    return invitation

"""Child organizations: founded by their parent, and entered by those who manage it.

Whoever enters becomes a member of the child, an administrator, by the grant and for as long as it and their own role
last. What they do there is theirs by name, in the child's audit.
"""

from dataclasses import replace
from uuid import UUID

from flotilla.events.auth import OrganizationCreated, UserCreated, UserUpdated
from flotilla.events.sharing import OrganizationEntered, OrganizationGrantCreated
from flotilla.http import ConflictError
from flotilla.http.work import RequestWork
from flotilla.security.principal import Principal
from flotilla.store.postgres import Transaction

from flotilla_auth import events, grants, onboarding, parenthood, sessions
from flotilla_auth.api.views import SignedIn
from flotilla_auth.domain import names
from flotilla_auth.domain.entities import ACTIVE, Organization, User
from flotilla_auth.domain.roles import OWNER
from flotilla_auth.store import credentials, organizations, users
from flotilla_auth.store import grants as store
from flotilla_auth.store.grants import Grant
from flotilla_auth.store.sessions import Device


async def found(work: RequestWork, who: Principal, name: str) -> tuple[Organization, Grant]:
    """A new organization that the caller owns and theirs looks after, with the settings of theirs."""
    app, child = work.app, work.app.new_id()
    async with app.db.transaction([who.org, child], cause=work.cause) as tx:
        await parenthood.check(tx, who.org)
        parent = await organizations.hold(tx, who.org)
        founder = await users.hold(tx, who.org, who.user_id)
        assert founder is not None, "whoever asks is a member"
        await credentials.join(tx, who.user_id, child)
        made = await organizations.insert(
            tx,
            child,
            name=name,
            slug=names.slug(name),
            locale=parent.locale,
            time_zone=parent.time_zone,
            currency=parent.currency,
            region=parent.region,
        )
        owner = await _member(tx, child, founder, OWNER)
        events.organization(tx, OrganizationCreated, made)
        events.user(tx, UserCreated, owner)
        await onboarding.begin(tx, made, who.user_id, work.cause)
        grant = await store.insert(
            tx,
            child,
            app.new_id(),
            grantee=who.org,
            kind=grants.ADMINISTRATION,
            permissions=(),
            state="active",
            expires_at=None,
        )
        grants.tell(tx, OrganizationGrantCreated, grant)
    return made, grant


async def enter(work: RequestWork, who: Principal, grant: Grant, device: Device) -> SignedIn:
    """A session in the child."""
    if grant.kind != grants.ADMINISTRATION or not grant.good:
        raise ConflictError("Your organization does not look after it, or not any more.")
    child = grant.organization_id
    async with work.app.db.transaction(who.org) as tx:
        at_home = await users.hold(tx, who.org, who.user_id)
    if at_home is None or not at_home.active or at_home.role not in grants.MANAGERS:
        raise ConflictError("You do not manage your organization any more.")
    async with work.app.db.transaction(child, cause=work.cause) as tx:
        # Held, so that whoever revokes it at this moment finds this member, or this finds it revoked.
        held = await store.lock(tx, child, grant.id)
        if held is None or not held.good:
            raise ConflictError("Your organization does not look after it any more.")
        organization = await organizations.hold(tx, child)
        if organization.second_factor_required and who.factors < 2:
            raise ConflictError("It demands a second factor: sign in with one, then enter.")
        member = await _admit(tx, held, at_home)
        tokens = await sessions.begin(tx, member, method="parent", device=device, factors=who.factors)
        entered = OrganizationEntered(
            entry_id=work.app.new_id(), grant_id=held.id, parent_id=who.org, user_id=who.user_id
        )
        tx.emit(entered, org=child, sequence=1)
    return SignedIn.of(tokens, member, organization)


async def _admit(tx: Transaction, grant: Grant, at_home: User) -> User:
    """Their membership of the child: their own where they have one, else one by the grant."""
    child = grant.organization_id
    known = await users.lock(tx, child, at_home.id)
    if known is not None and known.active:
        return known
    if known is not None and not await store.is_derived(tx, child, known.id):
        raise ConflictError("Its administrators have ended your access to it.")
    await grants.derive(tx, grant, at_home.id)
    if known is not None:
        now = await users.update(tx, replace(known, state=ACTIVE, role=grants.ADMIN, role_id=None))
        events.user(tx, UserUpdated, now, known)
        return now
    await credentials.join(tx, at_home.id, child)
    member = await _member(tx, child, at_home, grants.ADMIN)
    events.user(tx, UserCreated, member)
    return member


async def _member(tx: Transaction, child: UUID, at_home: User, role: str) -> User:
    return await users.insert(
        tx, child, at_home.id, email=at_home.email, name=at_home.name, role=role, locale=at_home.locale
    )

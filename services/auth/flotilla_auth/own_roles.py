"""What follows when an organization's own role changes: everybody who has it may at once what it says."""

from flotilla.events.auth import RoleUpdated, UserUpdated
from flotilla.store.postgres import Transaction

from flotilla_auth import events
from flotilla_auth.domain.own_roles import OwnRole, permissions_of
from flotilla_auth.domain.roles import loses_permissions
from flotilla_auth.store import sessions, users


def tell(tx: Transaction, now: OwnRole, before: OwnRole | None = None) -> None:
    """Emit the state of a role: for owners and administrators only."""
    event = RoleUpdated(
        role_id=now.id,
        name=now.name,
        base=now.base,
        permissions=now.permissions,
        state=now.state,
        changed=events.changes(before, now, ("name", "base", "permissions", "state")) if before else {},
    )
    tx.emit(event, org=now.organization_id, sequence=now.sequence)


async def follow_up(tx: Transaction, before: OwnRole, now: OwnRole) -> None:
    """What becomes of those who have a role that the transaction holds.

    Others take them for what its base is now. Where the role lost permissions they are signed out everywhere,
    as people are whose own role is made smaller: connections that are open rest on what they could do before.
    """
    if before.base != now.base:
        for was, user in await users.rebase(tx, now.organization_id, now.id, now.base):
            events.user(tx, UserUpdated, user, was)
    if loses_permissions(permissions_of(before.base, before), permissions_of(now.base, now)):
        for session in await sessions.end_all_with_role(tx, now.organization_id, now.id, "revoked"):
            events.session_ended(tx, session, "revoked")

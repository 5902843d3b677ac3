"""Whose an address is, and what becomes of an account that somebody made with an address that is not theirs.

Anybody can sign up with any address, and waits in that account for its owner to come. So, while nobody has shown that
mail to the address reaches them, nothing is added by which to sign in. It is shown in three ways: by the mail's link in
a session of the account, so by somebody who knows its password too; by choosing another password with a mail's token;
by accepting an invitation that was mailed. The last two may be another person than who made the account: what was
made in it before, and would be a way back in, goes.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.events.auth import ApiKeyRevoked, InvitationRevoked
from flotilla.events.security import UserEmailVerified, UserIdentityUnlinked, UserSecondFactorRemoved
from flotilla.problems import EmailUnverifiedError, UnauthorizedError
from flotilla.security.principal import Principal
from flotilla.store.postgres import Transaction

from flotilla_auth import events, sessions
from flotilla_auth.resources import own
from flotilla_auth.store import (
    api_keys,
    credentials,
    factors,
    identities,
    invitations,
    oauth_clients,
    oidc_flows,
    passkeys,
    pending_sign_ins,
    users,
)
from flotilla_auth.store import sessions as session_store

UNVERIFIED: Final = (
    "Confirm your e-mail address first: open the link in the mail that you were sent while you are signed in;"
    " POST /v1/email-verifications sends it again."
)


async def check(tx: Transaction, who: Principal, organizations: Sequence[UUID]) -> None:
    """Before somebody adds a way to sign in; `organizations` are all of theirs.

    A 403 problem where their address may be another's, a 401 problem where their session has ended: whoever takes an
    account over ends its sessions under the lock that is held here, so nothing slips in behind them. Where no mail can
    be sent nobody can show their address, nor take an account over by it, and nothing is asked.
    """
    await users.lock_everywhere(tx, organizations, who.user_id)
    if not await session_store.is_live(tx, who.org, who.session_id):
        raise UnauthorizedError("This session has ended: sign in again.")
    if not own(tx.app).smtp.is_configured:
        return
    credential = await credentials.read(tx, who.user_id)
    if credential is None or credential["email_verified_at"] is None:
        raise EmailUnverifiedError(UNVERIFIED)


async def shown(tx: Transaction, organizations: Sequence[UUID], user_id: UUID, *, anew: bool) -> None:
    """Mail to their address reaches them. `anew`: they may be another person than who made the account."""
    await users.lock_everywhere(tx, organizations, user_id)
    if not await credentials.verify_email(tx, user_id):
        return
    await events.security(tx, organizations, user_id, UserEmailVerified(user_id=user_id))
    if anew:
        await _take_ways_in(tx, organizations, user_id)
        await _take_programs(tx, organizations, user_id)


async def _take_ways_in(tx: Transaction, organizations: Sequence[UUID], user_id: UUID) -> None:
    totp = await factors.read_totp(tx, user_id)
    gone: list[UserIdentityUnlinked | UserSecondFactorRemoved] = [
        UserSecondFactorRemoved(user_id=user_id, method="passkey", passkey_id=each.id)
        for each in await passkeys.list_of(tx, user_id)
    ]
    if totp is not None and totp["confirmed_at"] is not None:
        gone.append(UserSecondFactorRemoved(user_id=user_id, method="totp"))
    await factors.remove_totp(tx, user_id)
    await factors.replace_codes(tx, user_id, [])
    await passkeys.delete_all(tx, user_id)
    await passkeys.delete_challenges(tx, user_id)
    await oidc_flows.delete_of(tx, user_id)
    await pending_sign_ins.delete_of(tx, user_id)
    providers = await identities.delete_all(tx, user_id)
    gone += [UserIdentityUnlinked(user_id=user_id, provider=provider) for provider in providers]
    for event in gone:
        await events.security(tx, organizations, user_id, event)
    await sessions.end_everywhere(tx, list(organizations), user_id, "revoked")


async def _take_programs(tx: Transaction, organizations: Sequence[UUID], user_id: UUID) -> None:
    """Keys, clients and invitations: each would be a way back."""
    for org in organizations:
        for revoked in await invitations.revoke_by(tx, org, user_id):
            events.invitation(tx, InvitationRevoked, revoked)
        for client in await oauth_clients.revoke_by(tx, org, user_id):
            events.oauth_client_revoked(tx, client)
        for key in await api_keys.revoke_by(tx, org, user_id):
            events.api_key(tx, ApiKeyRevoked, key, revoked_at=key.revoked_at, reason=key.revoke_reason)

"""What auth does on its own."""

from datetime import timedelta
from uuid import UUID

import structlog
from flotilla.app import App
from flotilla.bus.declare import Worker

from flotilla_auth.domain import lockout
from flotilla_auth.resources import own
from flotilla_auth.signing import read_keys, rotate
from flotilla_auth.store import (
    credentials,
    email_tokens,
    oauth_clients,
    oidc_flows,
    passkeys,
    pending_sign_ins,
    sessions,
)

log = structlog.get_logger()

REHASHED_AT_ONCE = 500
KEEP_EXPIRED = timedelta(days=1)
"""Expired sessions stay this long: a spent token that comes late is still known as one."""


async def rotate_keys(app: App) -> None:
    """Change the signing key when its time has come."""
    if await rotate(app):
        await read_keys(app, own(app).tokens)


async def refresh_keys(app: App) -> None:
    """Know the keys that another process made; they are announced well before they sign."""
    await read_keys(app, own(app).tokens)


async def sweep(app: App) -> None:
    """Delete what has expired: sessions with their tokens, those of mails, counted attempts."""
    await email_tokens.forget_expired(app.db)
    await pending_sign_ins.forget_expired(app.db)
    await oidc_flows.forget_expired(app.db)
    await passkeys.forget_expired(app.db)
    await oauth_clients.forget_expired(app.db)
    await credentials.forget_old_attempts(app.db, timedelta(hours=lockout.FORGET_HOURS))
    while organizations := await sessions.organizations_with_expired(app.db, KEEP_EXPIRED):
        async with app.db.transaction(organizations) as tx:
            await sessions.delete_expired(tx, organizations, KEEP_EXPIRED)


async def rehash(app: App) -> None:
    """Hash addresses anew whose hashes come of an older derivation key; their owners are asked for nothing."""
    emails, after = own(app).emails, UUID(int=0)
    while people := await credentials.under_older_keys(app.db, emails.of("")[0], after, REHASHED_AT_ONCE):
        after = people[-1]
        organizations = await credentials.organizations_of(app.db, people)
        async with app.db.transaction(organizations) as tx:
            number = await credentials.renew_email_hashes(tx, organizations, people, emails.of)
        if number:
            log.info("emails.rehashed", number=number)


WORKERS = (
    Worker("rotate_keys", timedelta(hours=1), rotate_keys),
    Worker("refresh_keys", timedelta(minutes=1), refresh_keys, leased=False),
    Worker("sweep", timedelta(hours=1), sweep),
    Worker("rehash", timedelta(minutes=10), rehash),
)

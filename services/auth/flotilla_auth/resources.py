"""What a process of auth holds besides its stores."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from flotilla.app import App

from flotilla_auth.passwords import EmailHashes, Passwords
from flotilla_auth.signing import AccessTokens, read_keys, rotate


@dataclass(frozen=True, slots=True)
class Own:
    """`App.own` of auth."""

    passwords: Passwords
    emails: EmailHashes
    tokens: AccessTokens


@asynccontextmanager
async def open_resources(app: App) -> AsyncIterator[Own]:
    """Ready to sign people in: the very first process makes the first signing key."""
    resources = Own(Passwords(), EmailHashes(app.keyring), AccessTokens(app.keyring))
    try:
        await rotate(app)
        await read_keys(app, resources.tokens)
        yield resources
    finally:
        resources.passwords.close()


def own(app: App) -> Own:
    """The resources of this process."""
    return cast(Own, app.own)

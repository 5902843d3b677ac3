"""What a process of auth holds besides its stores."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, cast

from flotilla.app import App
from flotilla.outside_http import OutsideHttp
from flotilla.security.revocations import Revocations

from flotilla_auth.breaches import Breaches
from flotilla_auth.domain.passkeys import Party
from flotilla_auth.drawing import Drawing
from flotilla_auth.mail.smtp import Smtp
from flotilla_auth.oidc.github import GitHub
from flotilla_auth.oidc.issuer import Issuer
from flotilla_auth.passwords import EmailHashes, Passwords
from flotilla_auth.settings import AuthSettings
from flotilla_auth.signing import AccessTokens, follow, read_keys, rotate

KINDS: Final = {"oidc": Issuer, "github": GitHub}


@dataclass(frozen=True, slots=True)
class Own:
    """`App.own` of auth."""

    passwords: Passwords
    emails: EmailHashes
    tokens: AccessTokens
    settings: AuthSettings
    smtp: Smtp
    http: OutsideHttp
    issuers: dict[str, Issuer | GitHub]
    """By their providers' names."""
    party: Party
    """For whom passkeys sign."""
    revocations: Revocations
    """Has what was revoked refused at once."""
    drawing: Drawing
    """Of pictures that people send of themselves."""


@asynccontextmanager
async def open_resources(app: App) -> AsyncIterator[Own]:
    """Ready to sign people in: the very first process makes the first signing key."""
    settings = app.settings
    assert isinstance(settings, AuthSettings)
    async with OutsideHttp.opened() as http:
        breaches = Breaches(http, settings.password_range_url) if settings.password_range_url else None
        resources = Own(
            passwords=Passwords(breaches),
            emails=EmailHashes(app.keyring),
            tokens=AccessTokens(app.keyring, app.settings.region),
            settings=settings,
            smtp=Smtp(settings),
            http=http,
            issuers={each.name: KINDS[each.kind](each, http) for each in settings.oidc_providers},
            party=Party.of(settings.passkey_domain, settings.passkey_origins, settings.links),
            # Not by `App.redis`, on which readiness hangs: whoever marks nothing meanwhile is as ready as ever.
            revocations=Revocations(settings.redis_url.get_secret_value()),
            drawing=Drawing(),
        )
        following = None
        try:
            await rotate(app)
            await read_keys(app, resources.tokens)
            following = asyncio.create_task(follow(app, resources.tokens), name="signing keys")
            yield resources
        finally:
            resources.passwords.close()
            resources.drawing.close()
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
            await resources.revocations.close()


def own(app: App) -> Own:
    """The resources of this process."""
    return cast(Own, app.own)

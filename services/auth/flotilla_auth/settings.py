"""What auth is told beside what every service is."""

from pathlib import Path
from typing import Literal

from flotilla.settings import Settings
from pydantic import Field, SecretStr

from flotilla_auth.oidc.providers import Provider


class AuthSettings(Settings):
    """`FLOTILLA_*`, as in every service."""

    app_url: str = ""
    """Where links in mails lead, the console's address; empty: `public_url`."""

    smtp_host: str = ""
    """Empty: no mail is sent, and each says so (`mail.failed.v1`, `not_configured`)."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_tls: Literal["starttls", "implicit", "none"] = "starttls"
    """`implicit` is RFC 8314's; `none` is for a relay on this very machine."""
    smtp_ca_file: Path | None = None
    """Whose certificates are believed instead of the system's."""
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str = "Flotilla <no-reply@flotilla.example>"
    smtp_seconds: float = Field(default=20.0, gt=0, le=50)
    """How long sending one mail may take."""

    refresh_grace_seconds: float = Field(default=30.0, ge=0, le=120)
    """How long a refresh token may be used again, by a second tab at once or by who lost the answer: it then gives the
    same next token. Later, or where that next one has been used, it ends the session; 0: always."""

    session_days: float = Field(default=30.0, gt=0, le=400)
    """After so many days a session is over however it is used, and its owner signs in anew; unused it ends after 7."""

    password_range_url: str = ""
    """Where leaked passwords are looked up, `https://api.pwnedpasswords.com/range`; empty: they are not."""

    oidc_providers: tuple[Provider, ...] = ()
    """Issuers that people may sign in with, as JSON (flotilla_auth/oidc/providers.py)."""

    passkey_domain: str = ""
    """WebAuthn's relying party id, to which passkeys are bound for good: the console's domain or one above it; empty:
    that of `links`. Browsers take no addresses of numbers: `localhost`, not `127.0.0.1`."""
    passkey_origins: tuple[str, ...] = ()
    """Pages that may ask for passkeys, `https://app.example.com`, as JSON; empty: that of `links`."""

    @property
    def links(self) -> str:
        """What links in mails begin with."""
        return (self.app_url or self.public_url).rstrip("/")

"""Which issuers people may sign in with: an operator's settings, never an organization's.

FLOTILLA_OIDC_PROVIDERS='[{"name": "google", "client_id": "…", "client_secret": "…"},
                          {"name": "acme", "issuer": "https://id.acme.example", "client_id": "…", …}]'
"""

from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

GITHUB: Final = "https://github.com"
PRESETS: Final = {
    "github": GITHUB,
    "google": "https://accounts.google.com",
    "microsoft": "https://login.microsoftonline.com/{tenant}/v2.0",
}
"""Issuers by the names that need no `issuer`; Microsoft's are a tenant's each, as the tokens say it."""


class Provider(BaseModel):
    """One issuer, as which of its clients we are known there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    title: str = ""
    """What people are shown; by default the name."""
    kind: Literal["oidc", "github"] = "oidc"
    """`github` for a server of GitHub's, which is no OpenID issuer; the name `github` implies it."""
    issuer: str = ""
    tenant: str = ""
    """Microsoft's: the directory's id."""
    client_id: str
    client_secret: SecretStr
    scopes: str = "openid email"

    @model_validator(mode="after")
    def _issuer(self) -> Self:
        found = self.issuer or PRESETS.get(self.name, "")
        if "{tenant}" in found:
            if not self.tenant:
                raise ValueError(f"{self.name} needs `tenant`")
            found = found.replace("{tenant}", self.tenant)
        where = urlsplit(found)
        if where.scheme != "https" and where.hostname not in ("127.0.0.1", "localhost"):
            raise ValueError(f"{self.name} needs an `issuer` that begins with https://")
        object.__setattr__(self, "issuer", found)
        if found == GITHUB:
            object.__setattr__(self, "kind", "github")
        return self

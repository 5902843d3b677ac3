"""What callers get to see of organizations, people and sessions."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from flotilla_auth.domain.entities import Organization, User
from flotilla_auth.domain.second_factor import provisioning_uri
from flotilla_auth.domain.signing import ACCESS_LIFETIME
from flotilla_auth.sessions import Tokens


class View(BaseModel):
    """Made of an entity's attributes."""

    model_config = ConfigDict(from_attributes=True)


class UserView(View):
    """A person in the caller's organization."""

    id: UUID
    email: str
    name: str
    role: str
    role_id: UUID | None
    """The organization's own role that they have; `role` is then what they are taken for."""
    locale: str
    time_zone: str | None
    """IANA; null: their organization's."""
    avatar_url: str | None
    """Where their picture is read, another path for another picture; null: they have none."""
    state: str
    created_at: datetime


class OrganizationView(View):
    """The caller's organization."""

    id: UUID
    name: str
    slug: str
    locale: str
    time_zone: str
    currency: str
    region: str
    state: str
    onboarding: Literal["running", "done", "failed"]
    second_factor_required: bool
    """Whether nobody enters without one."""
    allowed_origins: list[str]
    """Whose pages may call the API in a browser for its people."""
    domain: str | None
    """The company's, as its owner states it; nothing shows that it is theirs."""
    created_at: datetime


class TokensView(BaseModel):
    """Send `Authorization: Bearer <access_token>`; before it expires, exchange the refresh token, once."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int = int(ACCESS_LIFETIME.total_seconds())
    refresh_token: str
    refresh_expires_at: datetime


class AuthenticatorView(BaseModel):
    """An authenticator that waits for its first code; shown this once."""

    secret: str
    """Base32, to be typed."""
    uri: str
    """`otpauth://`, to be shown as a QR code."""

    @classmethod
    def of(cls, secret: str, email: str) -> Self:
        """For whoever has this address."""
        return cls(secret=secret, uri=provisioning_uri(secret, email))


class SecondStep(BaseModel):
    """The first factor was right. `second_factor`: prove another at POST /v1/sign-in/second-factor. `enrolment`: the
    organization demands one and they have none; POST /v1/sign-in/enrolment begins, …/complete ends it, or
    POST /v1/sign-in/enrolment/passkey and …/complete."""

    state: Literal["second_factor", "enrolment"]
    pending_token: str
    methods: list[str]
    """Of `totp`, `passkey`, `recovery_code`."""
    expires_in: int
    """Seconds."""


class SignedIn(TokensView):
    """A new session, and whose it is."""

    state: Literal["signed_in"] = "signed_in"
    recovery_codes: list[str] = []
    """Of somebody who has just added their first second factor: shown this once."""
    user: UserView
    organization: OrganizationView

    @classmethod
    def of(cls, tokens: Tokens, user: User, organization: Organization) -> Self:
        """Everything a client needs to begin."""
        return cls(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            refresh_expires_at=tokens.refresh_expires_at,
            user=UserView.model_validate(user),
            organization=OrganizationView.model_validate(organization),
        )

"""Partners' programs that fetch access tokens (OAuth 2.0 client credentials, RFC 6749 section 4.4)."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final
from urllib.parse import unquote_plus
from uuid import UUID

from flotilla.problems import Problem

GRANT: Final = "client_credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """A program: what it may, and whose word that is."""

    organization_id: UUID
    id: UUID
    sequence: int
    name: str
    scopes: list[str]
    role: str
    created_by: UUID
    created_at: datetime
    secret_rotated_at: datetime
    revoked_at: datetime | None
    revoke_reason: str | None

    @property
    def state(self) -> str:
        """`active` or `revoked`."""
        return "active" if self.revoked_at is None else "revoked"


class InvalidRequestError(Problem):
    """A request for a token that is none; `error` is RFC 6749's word for it (section 5.2)."""

    status, slug, title = 400, "invalid-token-request", "No token for this request"
    error: ClassVar[str] = "invalid_request"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, error=self.error, headers=NO_STORE)


class UnsupportedGrantError(InvalidRequestError):
    """Another grant than ours."""

    error = "unsupported_grant_type"


class InvalidScopeError(InvalidRequestError):
    """More than the client has."""

    error = "invalid_scope"


class InvalidClientError(Problem):
    """Not a client of ours, or not its secret: which of the two is not said."""

    status, slug, title = 401, "invalid-client", "The client or its secret is wrong"

    def __init__(self) -> None:
        super().__init__(
            "The client or its secret is wrong.",
            error="invalid_client",
            headers={**NO_STORE, "WWW-Authenticate": 'Basic realm="flotilla"'},
        )


NO_STORE: Final = {"Cache-Control": "no-store"}


def credentials(authorization: str | None, form: dict[str, str]) -> tuple[UUID, str]:
    """The client's id and secret, from `Authorization: Basic` or the form, and not from both (section 2.3)."""
    client_id, secret = form.get("client_id"), form.get("client_secret")
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        if secret is not None:
            raise InvalidRequestError("Send the secret once: in the header, or in the form.")
        try:
            pair = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            raise InvalidClientError from None
        client_id, _, secret = (unquote_plus(part) for part in pair.partition(":"))
    try:
        return UUID(client_id or ""), secret or ""
    except ValueError:
        raise InvalidClientError from None


def granted(client: OAuthClient, wanted: str | None) -> list[str]:
    """What a token of it carries: all that it may, or what is asked for of that."""
    if not wanted:
        return client.scopes
    asked = sorted(set(wanted.split()))
    if not set(asked) <= set(client.scopes):
        raise InvalidScopeError("This client does not have all of these scopes.")
    return asked

"""Fields of bodies, checked at the edge."""

import zoneinfo
from functools import cache
from typing import Annotated, Any, Final, Literal, Self

from flotilla.app import App
from flotilla.problems import UnprocessableError
from flotilla.security.permissions import ROLES
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from flotilla_auth.domain import names, passwords
from flotilla_auth.domain.second_factor import Answer
from flotilla_auth.resources import own

_LANGUAGE_TAG: Final = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"


class Body(BaseModel):
    """What a caller sends: unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be shown")
    return text


def _role(text: str) -> str:
    if text not in ROLES:
        raise ValueError(f"is none of {', '.join(ROLES)}")
    return text


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _time_zone(text: str) -> str:
    if text not in _time_zones():
        raise ValueError("is no time zone of the IANA database")
    return text


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    AfterValidator(_printable),
]
Email = Annotated[
    str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(names.address)
]
Domain = Annotated[
    str,
    Field(max_length=253, examples=["kite.example"], json_schema_extra={"format": "idn-hostname"}),
    AfterValidator(names.domain),
]
Locale = Annotated[str, Field(pattern=_LANGUAGE_TAG, description="BCP 47, as `de` or `de-AT`.")]
TimeZone = Annotated[str, AfterValidator(_time_zone), Field(description="IANA, as `Europe/Berlin`.")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
Role = Annotated[str, AfterValidator(_role)]
Password = Annotated[SecretStr, Field(max_length=passwords.MAX_LENGTH)]
Code = Annotated[
    str, Field(pattern=r"^[0-9]{6}$", description="Six digits, as the authenticator shows them.")
]
Token = Annotated[SecretStr, Field(max_length=100)]


Encoded = Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"^[A-Za-z0-9_-]+=*$")]


class _Part(BaseModel):
    """What browsers write grows with them: fields that are not known here are left out."""

    def plain(self) -> dict[str, Any]:
        """As it came."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Attestation(_Part):
    """An authenticator's word on the key that it made."""

    client_data: Encoded = Field(alias="clientDataJSON")
    attestation: Encoded = Field(alias="attestationObject")
    transports: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=20)] | None = None


class Assertion(_Part):
    """An authenticator's signature."""

    client_data: Encoded = Field(alias="clientDataJSON")
    authenticator_data: Encoded = Field(alias="authenticatorData")
    signature: Encoded
    user_handle: Encoded | None = Field(None, alias="userHandle")


class Credential(_Part):
    """What both have; bytes are base64url."""

    id: Encoded
    raw_id: Encoded = Field(alias="rawId")
    type: Literal["public-key"]


class NewCredential(Credential):
    """`PublicKeyCredential.toJSON()` of one that was just made."""

    response: Attestation


class UsedCredential(Credential):
    """`PublicKeyCredential.toJSON()` of one that has just signed."""

    response: Assertion


class OneAnswer(Body):
    """A code of an authenticator, a recovery code, or a passkey's signature."""

    code: Code | None = None
    recovery_code: Annotated[str, Field(max_length=40)] | None = None
    passkey: UsedCredential | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.code, self.recovery_code, self.passkey)) != 1:
            raise ValueError("gives a code, a recovery code, or a passkey")
        return self

    def answer(self) -> Answer:
        """As the second factor takes it."""
        return Answer(self.code, self.recovery_code, self.passkey.plain() if self.passkey else None)


async def check_password(app: App, password: SecretStr, email: str, *names: str) -> None:
    """A 422 problem that says why this password will not do; `names` are what its owner may be tempted to put in."""
    objection = await own(app).passwords.objection(password.get_secret_value(), email, *names)
    if objection:
        raise UnprocessableError(
            "Choose another password.", errors=[{"pointer": "/password", "detail": objection}]
        )

"""People for tests: signed up, invited, and acting with the principal that the gateway would make for them."""

import base64
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import msgspec
from flotilla.testing import Client, Harness
from flotilla.testing.harness import Answer

PASSWORD = "seven otters cross the river"  # noqa: S105 - of people who exist for a test


def fresh_email() -> str:
    """An address that nobody has."""
    return f"{uuid4().hex}@northwind.example"


def claims(token: str) -> dict[str, Any]:
    """What an access token says, its signature unchecked."""
    part = token.split(".")[1]
    decoded: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


@dataclass(frozen=True)
class Person:
    """Somebody signed in."""

    client: Client
    signed_in: dict[str, Any]

    @property
    def email(self) -> str:
        return str(self.signed_in["user"]["email"])

    @property
    def id(self) -> UUID:
        return UUID(self.signed_in["user"]["id"])

    @property
    def org(self) -> UUID:
        return UUID(self.signed_in["organization"]["id"])

    @property
    def session(self) -> UUID:
        return UUID(claims(self.signed_in["access_token"])["sid"])

    @property
    def refresh_token(self) -> str:
        return str(self.signed_in["refresh_token"])


@dataclass(frozen=True)
class People:
    """Makes people on a running auth service."""

    auth: Harness

    async def owner(self, *, email: str | None = None, organization: str = "Northwind Coffee") -> Person:
        """The owner of a fresh organization."""
        answer = await self.sign_up(email or fresh_email(), organization)
        assert answer.status == 201, answer.body
        return self.person(answer)

    async def sign_up(self, email: str, organization: str = "Northwind Coffee") -> Answer:
        body = {"organization_name": organization, "name": "Ada", "email": email, "password": PASSWORD}
        return await self.auth.anonymous().post("/v1/sign-up", body)

    async def member(self, inviter: Person, role: str, *, email: str | None = None) -> Person:
        """Invited by `inviter`, and come."""
        invitation = {"email": email or fresh_email(), "role": role}
        invited = await inviter.client.post("/v1/invitations", invitation)
        assert invited.status == 201, invited.body
        answer = await self.accept(invited.json()["token"])
        assert answer.status == 201, answer.body
        return self.person(answer)

    async def accept(self, token: str, password: str = PASSWORD) -> Answer:
        body = {"token": token, "name": "Max", "password": password}
        return await self.auth.anonymous().post("/v1/invitations/accept", body)

    async def sign_in(self, email: str, password: str = PASSWORD, **more: Any) -> Answer:
        return await self.auth.anonymous().post("/v1/sign-in", {"email": email, "password": password, **more})

    async def refresh(self, token: str) -> Answer:
        return await self.auth.anonymous().post("/v1/tokens/refresh", {"refresh_token": token})

    def person(self, answer: Answer) -> Person:
        """Of an answer that holds tokens."""
        signed_in = answer.json()
        said = claims(signed_in["access_token"])
        client = self.auth.client(
            UUID(said["org"]),
            said["role"],
            UUID(said["sub"]),
            UUID(said["sid"]),
            factors=2 if said["acr"] == "aal2" else 1,
        )
        return Person(client, signed_in)

"""People for tests: signed up, invited, and acting with the principal that the gateway would make for them."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from flotilla.events.billing import EntitlementChanged
from flotilla.features import CHILD_ORGANIZATIONS
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.harness import Answer
from flotilla.testing.mailbox import Mailbox, token_of

from flotilla_auth.store import child_allowances, credentials

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
    mailbox: Mailbox | None = None
    """Where its mail goes; None: it sends none."""

    async def owner(
        self, *, email: str | None = None, organization: str = "Northwind Coffee", verified: bool = True
    ) -> Person:
        """The owner of a fresh organization, who has shown their address or not yet."""
        answer = await self.sign_up(email or fresh_email(), organization)
        assert answer.status == 201, answer.body
        person = self.person(answer)
        if verified:
            async with self.auth.app.db.transaction(()) as tx:
                await credentials.verify_email(tx, person.id)
        return person

    async def sign_up(self, email: str, organization: str = "Northwind Coffee") -> Answer:
        body = {"organization_name": organization, "name": "Ada", "email": email, "password": PASSWORD}
        return await self.auth.anonymous().post("/v1/sign-up", body)

    async def member(self, inviter: Person, role: str, *, email: str | None = None) -> Person:
        """Invited by `inviter`, and come."""
        answer = await self.accept(await self.invite(inviter, email or fresh_email(), role))
        assert answer.status == 201, answer.body
        return self.person(answer)

    async def invite(self, inviter: Person, email: str, role: str = "viewer", **more: Any) -> str:
        """The token of an invitation, from its mail, or of the answer where there is none."""
        invited = await inviter.client.post("/v1/invitations", {"email": email, "role": role, **more})
        assert invited.status == 201, invited.body
        return await self.token_of(invited)

    async def token_of(self, invited: Answer, *, count: int = 1) -> str:
        """The token of the `count`th invitation that somebody was mailed, this one."""
        if self.mailbox is None:
            return str(invited.json()["token"])
        letter = await self.mailbox.expect(invited.json()["email"], "/accept-invitation", count=count)
        return token_of(letter)

    async def accept(self, token: str, password: str = PASSWORD) -> Answer:
        body = {"token": token, "name": "Max", "password": password}
        return await self.auth.anonymous().post("/v1/invitations/accept", body)

    async def sign_in(self, email: str, password: str = PASSWORD, **more: Any) -> Answer:
        return await self.auth.anonymous().post("/v1/sign-in", {"email": email, "password": password, **more})

    async def refresh(self, token: str) -> Answer:
        return await self.auth.anonymous().post("/v1/tokens/refresh", {"refresh_token": token})

    async def may_have_children(self, org: UUID, *, used: int = 0, limit: int | None = None) -> None:
        """The organization's plan lets it look after others, as billing would say; auth knows."""
        now = datetime.now(UTC)
        fact = EntitlementChanged(
            entitlement_id=new_id(),
            feature=CHILD_ORGANIZATIONS,
            enabled=True,
            limit=limit,
            used=used,
            beyond="block",
            resets=False,
            period_started_at=now,
            period_ends_at=now,
        )
        await self.auth.publish(fact, org=org)
        expected = child_allowances.Allowance(True, limit is not None and used >= limit)

        async def known() -> bool:
            async with self.auth.app.db.transaction(org) as tx:
                return await child_allowances.read(tx, org) == expected

        await eventually(known, what="auth knows what the plan allows")

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

"""Somebody who lost phone, passkeys and recovery codes, and an operator who helps."""

from functools import partial
from uuid import UUID

import pytest
import typer
from flotilla.bus.envelope import Received
from flotilla.cli.people import remove
from flotilla.events.auth import SessionEnded
from flotilla.events.security import UserSecondFactorReset
from flotilla.testing import Harness
from flotilla.testing.mailbox import Mailbox, text_of
from flotilla_auth.testing import People, Person, fresh_email

from services.auth.tests import keys
from services.auth.tests.authenticators import Authenticator
from services.auth.tests.soft_authenticator import SoftAuthenticator

REASON = "Phone stolen; called back at the number of the contract"


def is_of(org: UUID, event: Received[UserSecondFactorReset]) -> bool:
    return event.org == org


async def test_nothing_of_it_is_left_in_any_organization(
    auth: Harness, people: People, mailbox: Mailbox, owner: Person, origin: str
) -> None:
    elsewhere = await people.owner()
    member = await people.member(elsewhere, "viewer", email=owner.email)
    phone = await Authenticator.added(auth, owner)
    key = SoftAuthenticator(origin)
    await keys.add(owner, key)
    half_way = (await people.sign_in(owner.email)).json()["pending_token"]

    assert await remove(auth.instance, owner.email.upper(), REASON) == owner.id

    for org in (owner.org, member.org):
        told = await auth.spy.expect(UserSecondFactorReset, partial(is_of, org))
        assert (told.data.user_id, told.data.reason) == (owner.id, REASON)
        assert told.data.changed == {"totp": [True, False], "passkeys": [1, 0], "recovery_codes": [10, 0]}
        assert (told.envelope.actor or "").startswith("operator:")
        assert told.envelope.audience == f"user:{owner.id}"
    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == owner.session)
    assert ended.data.reason == "second_factor_changed"
    assert (await people.refresh(owner.refresh_token)).status == 401
    assert (await keys.sign_in(auth, key)).status == 401
    body = {"pending_token": half_way, "recovery_code": phone.recovery_codes[0]}
    assert (await auth.anonymous().post("/v1/sign-in/second-factor", body)).status == 401
    assert (await people.sign_in(owner.email)).json()["state"] == "signed_in"
    # Added, added, and removed: told once, whatever number of organizations.
    letter = await mailbox.expect(owner.email, "/forgot-password", count=3)
    assert "support" in text_of(letter)


async def test_who_has_to_have_one_adds_another(auth: Harness, people: People, owner: Person) -> None:
    await Authenticator.added(auth, owner)
    strong = auth.client(owner.org, "owner", owner.id, owner.session, factors=2)
    assert (await strong.patch("/v1/organization", {"second_factor_required": True})).status == 200
    await remove(auth.instance, str(owner.id), REASON)
    assert (await people.sign_in(owner.email)).json()["state"] == "enrolment"


async def test_nobody_and_nothing_to_remove(auth: Harness, owner: Person) -> None:
    with pytest.raises(typer.Exit):
        await remove(auth.instance, fresh_email(), REASON)
    with pytest.raises(typer.Exit):
        await remove(auth.instance, owner.email, REASON)
    assert not auth.spy.of(UserSecondFactorReset, owner.org)

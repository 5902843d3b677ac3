"""Addresses shown to be their owners', and passwords that were forgotten."""

import asyncio
import time
from functools import partial
from typing import Any

import pytest
from flotilla.events.auth import SessionEnded
from flotilla.events.security import MailSent, UserEmailVerified, UserPasswordChanged
from flotilla.testing import Harness, eventually
from flotilla.testing.mailbox import Mailbox, text_of, token_of
from flotilla_auth.domain.opaque import digest
from flotilla_auth.mail.sending import MOST_AN_HOUR
from flotilla_auth.testing import PASSWORD, People, Person, fresh_email
from flotilla_auth.workers import sweep

from services.auth.tests.alike import take_alike

VERIFY = "/verify-email"
RESET = "/reset-password"
OTHER = "nine herons wait at the weir"


def _ended(session_id: object, event: Any) -> bool:
    return bool(event.data.session_id == session_id)


def _of(org: object, event: Any) -> bool:
    return bool(event.org == org)


async def reset_token(auth: Harness, mailbox: Mailbox, email: str) -> str:
    before = len([letter for letter in mailbox.to(email) if RESET in text_of(letter)])
    await _no_mail_waits(auth)  # While one is being sent, asking again sends no other.
    assert (await auth.anonymous().post("/v1/password-resets", {"email": email})).status == 202
    return token_of(await mailbox.expect(email, RESET, count=before + 1))


async def complete(auth: Harness, token: str, password: str = OTHER) -> int:
    body = {"token": token, "password": password}
    return (await auth.anonymous().post("/v1/password-resets/complete", body)).status


async def test_an_address_is_shown_to_be_its_owners_once(
    auth: Harness, mailbox: Mailbox, newcomer: Person
) -> None:
    owner = newcomer
    token = token_of(await mailbox.expect(owner.email, VERIFY))
    assert (await owner.client.get("/v1/me")).json()["email_verified"] is False

    done = await owner.client.post("/v1/email-verifications/complete", {"token": token})
    assert done.status == 204, done.body

    event = await auth.spy.expect(UserEmailVerified, lambda event: event.data.user_id == owner.id)
    assert (event.envelope.actor, event.envelope.audience) == (f"user:{owner.id}", f"user:{owner.id}")
    assert (await owner.client.get("/v1/me")).json()["email_verified"] is True
    again = await owner.client.post("/v1/email-verifications/complete", {"token": token})
    assert again.status == 404
    assert (await owner.client.post("/v1/email-verifications")).status == 202
    await auth.spy.expect(MailSent, lambda event: event.data.user_id == owner.id)
    assert len([letter for letter in mailbox.to(owner.email) if VERIFY in text_of(letter)]) == 1


async def test_the_mail_is_sent_again_to_who_asks(mailbox: Mailbox, newcomer: Person) -> None:
    first = token_of(await mailbox.expect(newcomer.email, VERIFY))
    assert (await newcomer.client.post("/v1/email-verifications")).status == 202
    assert token_of(await mailbox.expect(newcomer.email, VERIFY, count=2)) != first


async def test_a_new_password_ends_every_session_everywhere(
    auth: Harness, people: People, mailbox: Mailbox, owner: Person
) -> None:
    token = await people.invite(await people.owner(), owner.email)
    there = people.person(await people.accept(token))

    token = await reset_token(auth, mailbox, owner.email)
    assert await complete(auth, token) == 204

    for session in (owner.session, there.session):
        ended = await auth.spy.expect(SessionEnded, partial(_ended, session))
        assert ended.data.reason == "password_changed"
    assert (await people.refresh(owner.refresh_token)).status == 401
    assert (await people.refresh(there.refresh_token)).status == 401
    assert (await people.sign_in(owner.email)).status == 401
    assert (await people.sign_in(owner.email, OTHER)).status == 200
    for org in (owner.org, there.org):
        told = await auth.spy.expect(UserPasswordChanged, partial(_of, org))
        assert told.data.how == "reset"
    await mailbox.expect(owner.email, "/forgot-password")


async def test_a_token_is_good_once_and_another_use_at_once_waits(
    auth: Harness, mailbox: Mailbox, owner: Person
) -> None:
    token = await reset_token(auth, mailbox, owner.email)
    statuses = await asyncio.gather(*(complete(auth, token, f"{OTHER} {number}") for number in range(4)))
    assert sorted(statuses) == [204, 404, 404, 404]


async def test_the_last_token_makes_the_others_good_for_nothing(
    auth: Harness, mailbox: Mailbox, owner: Person
) -> None:
    first = await reset_token(auth, mailbox, owner.email)
    second = await reset_token(auth, mailbox, owner.email)
    assert await complete(auth, second) == 204
    assert await complete(auth, first) == 404


async def test_a_password_that_was_changed_is_not_reset_by_an_older_link(
    auth: Harness, mailbox: Mailbox, owner: Person
) -> None:
    token = await reset_token(auth, mailbox, owner.email)
    body = {"current_password": PASSWORD, "password": OTHER}
    assert (await owner.client.put("/v1/me/password", body)).status == 204
    assert await complete(auth, token, f"{OTHER} again") == 404


async def test_a_token_expires(auth: Harness, mailbox: Mailbox, owner: Person) -> None:
    token = await reset_token(auth, mailbox, owner.email)
    await auth.app.db.execute(
        "UPDATE email_tokens SET expires_at = now() - interval '1 second' WHERE token_hash = $1",
        digest(token),
    )
    assert await complete(auth, token) == 404
    await auth.app.db.execute(
        "UPDATE email_tokens SET expires_at = now() - interval '2 hours' WHERE token_hash = $1", digest(token)
    )
    await sweep(auth.app)
    left = "SELECT count(*) FROM email_tokens WHERE token_hash = $1"
    assert await auth.app.db.fetchval(left, digest(token)) == 0


async def test_a_password_that_will_not_do_leaves_the_token_good(
    auth: Harness, mailbox: Mailbox, owner: Person
) -> None:
    token = await reset_token(auth, mailbox, owner.email)
    assert await complete(auth, token, "password1234") == 422
    assert await complete(auth, token) == 204


@pytest.mark.parametrize("purpose", ["password-resets", "email-verifications"])
async def test_a_token_is_for_what_it_was_sent_for(
    auth: Harness, mailbox: Mailbox, owner: Person, purpose: str
) -> None:
    verify = token_of(await mailbox.expect(owner.email, VERIFY))
    reset = await reset_token(auth, mailbox, owner.email)
    body = {"token": verify, "password": OTHER} if purpose == "password-resets" else {"token": reset}
    assert (await owner.client.post(f"/v1/{purpose}/complete", body)).status == 404


async def test_who_asks_for_an_address_nobody_has_sees_and_waits_the_same(
    auth: Harness, owner: Person
) -> None:
    seen: set[tuple[int, bytes]] = set()

    async def ask(email: str) -> float:
        began = time.perf_counter()
        answer = await auth.anonymous().post("/v1/password-resets", {"email": email})
        seen.add((answer.status, answer.body))
        return time.perf_counter() - began

    assert await take_alike(lambda: ask(owner.email), lambda: ask(fresh_email()))
    assert seen == {(202, b"")}


async def test_nothing_is_sent_to_an_address_nobody_has(auth: Harness, mailbox: Mailbox) -> None:
    email = fresh_email()
    await auth.anonymous().post("/v1/password-resets", {"email": email})
    await _no_mail_waits(auth)
    assert mailbox.to(email) == []


async def test_nobodys_mailbox_is_filled(auth: Harness, mailbox: Mailbox, owner: Person) -> None:
    for _ in range(MOST_AN_HOUR):
        await reset_token(auth, mailbox, owner.email)
    await auth.anonymous().post("/v1/password-resets", {"email": owner.email})
    await _no_mail_waits(auth)
    sent = [letter for letter in mailbox.to(owner.email) if RESET in text_of(letter)]
    assert len(sent) == MOST_AN_HOUR


async def test_who_has_no_access_anywhere_is_sent_nothing(
    auth: Harness, people: People, mailbox: Mailbox, owner: Person
) -> None:
    member = await people.member(owner, "viewer")
    assert (await owner.client.patch(f"/v1/users/{member.id}", {"state": "deactivated"})).status == 200
    await auth.anonymous().post("/v1/password-resets", {"email": member.email})
    await _no_mail_waits(auth)
    assert len(mailbox.to(member.email)) == 1


async def test_no_token_and_no_address_stands_in_tables_and_events(
    auth: Harness, mailbox: Mailbox, owner: Person
) -> None:
    token = await reset_token(auth, mailbox, owner.email)
    await auth.spy.expect(
        MailSent, lambda event: event.data.user_id == owner.id and event.data.kind == "reset_password"
    )
    for table in ("email_tokens", "auth_bus.jobs", "credentials"):
        rows = await auth.app.db.fetch(f"SELECT t::text AS text FROM {table} AS t")
        assert not [row for row in rows if token in row["text"] or owner.email in row["text"]]
    assert token not in str(auth.spy.events)


async def test_who_knows_their_password_changes_it(
    auth: Harness, people: People, mailbox: Mailbox, owner: Person
) -> None:
    other = people.person(await people.sign_in(owner.email))
    wrong = {"current_password": "not the one at all", "password": OTHER}
    refused = await owner.client.put("/v1/me/password", wrong)
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/current_password")

    changed = await owner.client.put("/v1/me/password", {"current_password": PASSWORD, "password": OTHER})
    assert changed.status == 204, changed.body

    assert (await people.refresh(other.refresh_token)).status == 401
    assert (await people.refresh(owner.refresh_token)).status == 200, "this session goes on"
    assert (await people.sign_in(owner.email, OTHER)).status == 200
    told = await auth.spy.expect(UserPasswordChanged, lambda event: event.org == owner.org)
    assert told.data.how == "changed"
    await mailbox.expect(owner.email, "/forgot-password")


async def _no_mail_waits(auth: Harness) -> None:
    async def none() -> bool:
        return not await auth.app.db.fetchval("SELECT count(*) FROM auth_bus.jobs WHERE kind = 'mail'")

    await eventually(none, what="all mail is done")

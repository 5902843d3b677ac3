"""Signing in, and guessing."""

import asyncio
import time

from argon2 import PasswordHasher
from flotilla.events.auth import UserLoggedIn, UserSignInFailed
from flotilla.testing import Harness
from flotilla_auth.domain.lockout import LOCK_SECONDS
from flotilla_auth.resources import own
from flotilla_auth.testing import PASSWORD, People, Person, fresh_email

from services.auth.tests.alike import take_alike

FREE_ATTEMPTS = LOCK_SECONDS.index(next(seconds for seconds in LOCK_SECONDS if seconds)) + 1


async def test_a_session_begins(auth: Harness, people: People, owner: Person) -> None:
    headers = {"User-Agent": "Otter/1", "X-Forwarded-For": "192.0.2.7"}
    body = {"email": owner.email, "password": PASSWORD}
    answer = await auth.anonymous().post("/v1/sign-in", body, headers=headers)

    session = people.person(answer).session
    event = await auth.spy.expect(UserLoggedIn, lambda event: event.data.session_id == session)
    assert (event.data.address, event.data.user_agent) == ("192.0.2.7", "Otter/1")
    assert session != owner.session


async def test_a_wrong_password_and_an_unknown_address_look_alike(people: People, owner: Person) -> None:
    wrong = await people.sign_in(owner.email, "not the password at all")
    unknown = await people.sign_in(fresh_email(), "not the password at all")

    assert wrong.status == unknown.status == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]


async def test_a_wrong_password_is_told_to_owners_and_administrators(
    auth: Harness, people: People, owner: Person
) -> None:
    await people.sign_in(owner.email, "wrong one, really")
    await people.sign_in(owner.email, "wrong two, really")

    first = await auth.spy.expect(UserSignInFailed, lambda event: event.org == owner.org)
    second = await auth.spy.expect(
        UserSignInFailed, lambda event: event.org == owner.org and event.data.attempts == 2
    )
    assert first.envelope.audience is None
    assert (first.sequence, second.sequence) == (1, 2)
    assert first.data.user_id == owner.id


async def test_many_guesses_at_once_are_no_more_guesses(people: People, owner: Person) -> None:
    guesses = [people.sign_in(owner.email, f"guess number {number:03}") for number in range(20)]

    answers = await asyncio.gather(*guesses)

    statuses = [answer.status for answer in answers]
    assert statuses.count(401) == FREE_ATTEMPTS
    assert statuses.count(429) == 20 - FREE_ATTEMPTS
    refused = next(answer for answer in answers if answer.status == 429)
    assert 0 < int(refused.headers["Retry-After"]) <= 30
    assert (await people.sign_in(owner.email)).status == 429


async def test_an_address_nobody_has_is_locked_alike(people: People) -> None:
    email = fresh_email()

    answers = [await people.sign_in(email, "some password or other") for _ in range(FREE_ATTEMPTS + 1)]

    assert [answer.status for answer in answers] == [401] * FREE_ATTEMPTS + [429]


async def test_a_lock_runs_out_and_grows_with_the_next_failure(
    auth: Harness, people: People, owner: Person
) -> None:
    email_hash = own(auth.app).emails.of(owner.email)[0]
    for _ in range(FREE_ATTEMPTS):
        await people.sign_in(owner.email, "wrong one, really")
    await auth.app.db.execute(
        "UPDATE sign_in_attempts SET locked_until = now() WHERE email_hash = $1", email_hash
    )

    assert (await people.sign_in(owner.email, "wrong one, really")).status == 401
    longer = await people.sign_in(owner.email)
    assert 30 < int(longer.headers["Retry-After"]) <= 60

    await auth.app.db.execute(
        "UPDATE sign_in_attempts SET locked_until = now() WHERE email_hash = $1", email_hash
    )
    assert (await people.sign_in(owner.email)).status == 200
    assert (await people.sign_in(owner.email, "wrong one, really")).status == 401, (
        "forgotten by the right one"
    )


async def test_refusals_take_alike_whoever_exists(auth: Harness, people: People, owner: Person) -> None:
    async def seconds(email: str) -> float:
        await auth.app.db.execute("DELETE FROM sign_in_attempts")  # or the account would be locked
        began = time.perf_counter()
        refused = await people.sign_in(email, "not the password at all")
        took = time.perf_counter() - began
        assert refused.status == 401
        return took

    assert await take_alike(lambda: seconds(owner.email), lambda: seconds(fresh_email()))


async def test_a_password_hashed_with_old_parameters_is_hashed_anew(
    auth: Harness, people: People, owner: Person
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    await auth.app.db.execute("UPDATE credentials SET password_hash = $2 WHERE user_id = $1", owner.id, weak)

    assert (await people.sign_in(owner.email)).status == 200

    stored = await auth.app.db.fetchval("SELECT password_hash FROM credentials WHERE user_id = $1", owner.id)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await people.sign_in(owner.email)).status == 200


async def test_no_address_and_no_password_is_kept_where_organizations_are_not_separated(
    auth: Harness, owner: Person
) -> None:
    for table in ("credentials", "memberships", "sign_in_attempts", "refresh_tokens", "invitation_tokens"):
        rows = await auth.app.db.fetch(f"SELECT t::text AS text FROM {table} AS t")
        assert not [row for row in rows if owner.email in row["text"] or PASSWORD in row["text"]]
        assert not [row for row in rows if owner.refresh_token in row["text"]]

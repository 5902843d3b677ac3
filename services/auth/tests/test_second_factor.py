"""Authenticators and recovery codes: at sign-in, once each, slow to guess."""

import asyncio
from typing import Any

import pyotp
from flotilla.events.auth import SessionEnded, UserLoggedIn
from flotilla.events.security import (
    UserRecoveryCodeRenewed,
    UserRecoveryCodeUsed,
    UserSecondFactorAdded,
    UserSecondFactorFailed,
    UserSecondFactorRemoved,
)
from flotilla.testing import Harness
from flotilla.testing.harness import Answer
from flotilla.testing.mailbox import Mailbox
from flotilla_auth.domain.lockout import LOCK_SECONDS
from flotilla_auth.testing import PASSWORD, People, Person, claims

from services.auth.tests.authenticators import Authenticator

FREE_ATTEMPTS = LOCK_SECONDS.index(next(seconds for seconds in LOCK_SECONDS if seconds)) + 1


async def pending(people: People, person: Person) -> str:
    answer = (await people.sign_in(person.email)).json()
    assert answer["state"] == "second_factor"
    return str(answer["pending_token"])


async def second(auth: Harness, token: str, **answer: Any) -> Answer:
    return await auth.anonymous().post("/v1/sign-in/second-factor", {"pending_token": token, **answer})


async def test_a_sign_in_takes_two_steps(
    auth: Harness, people: People, mailbox: Mailbox, owner: Person
) -> None:
    phone = await Authenticator.added(auth, owner)
    added = await auth.spy.expect(UserSecondFactorAdded, lambda event: event.org == owner.org)
    assert (added.data.method, added.envelope.audience) == ("totp", f"user:{owner.id}")
    await mailbox.expect(owner.email, "/forgot-password")

    first = (await people.sign_in(owner.email)).json()
    assert set(first) == {"state", "pending_token", "methods", "expires_in"}
    assert first["methods"] == ["totp", "recovery_code"]
    done = await second(auth, first["pending_token"], code=await phone.code())

    assert done.status == 200, done.body
    assert (done.headers["Cache-Control"], done.json()["state"]) == ("no-store", "signed_in")
    assert claims(done.json()["access_token"])["acr"] == "aal2"
    session = people.person(done).session
    told = await auth.spy.expect(UserLoggedIn, lambda event: event.data.session_id == session)
    assert told.data.method == "password+totp"
    assert (await people.refresh(done.json()["refresh_token"])).status == 200
    used_again = await second(auth, first["pending_token"], code=await phone.code())
    assert used_again.status == 401, "half-way in is for once"


async def test_a_code_is_taken_once(auth: Harness, people: People, owner: Person) -> None:
    phone = await Authenticator.added(auth, owner)
    tokens = [await pending(people, owner) for _ in range(3)]
    code = await phone.code()
    statuses = [
        answer.status
        for answer in await asyncio.gather(*(second(auth, token, code=code) for token in tokens))
    ]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 401, 429}, "one that comes while another is being looked at may be put off"


async def test_the_code_that_confirmed_is_taken_too(auth: Harness, people: People, owner: Person) -> None:
    secret = (await owner.client.post("/v1/me/totp")).json()["secret"]
    code = pyotp.TOTP(secret).now()
    assert (await owner.client.post("/v1/me/totp/confirm", {"code": code})).status == 200
    assert (await second(auth, await pending(people, owner), code=code)).status == 401


async def test_a_factor_that_is_not_confirmed_protects_and_locks_out_nobody(
    people: People, owner: Person
) -> None:
    for _ in range(2):
        assert (await owner.client.post("/v1/me/totp")).status == 201
    wrong = await owner.client.post("/v1/me/totp/confirm", {"code": "000000"})
    assert (wrong.status, wrong.json()["errors"][0]["pointer"]) == (422, "/code")
    assert (await people.sign_in(owner.email)).json()["state"] == "signed_in"


async def test_other_sessions_end_as_a_factor_is_added(auth: Harness, people: People, owner: Person) -> None:
    other = people.person(await people.sign_in(owner.email))
    await Authenticator.added(auth, owner)
    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == other.session)
    assert ended.data.reason == "second_factor_changed"
    assert (await people.refresh(other.refresh_token)).status == 401
    renewed = await people.refresh(owner.refresh_token)
    assert claims(renewed.json()["access_token"])["acr"] == "aal2", "they proved it right now"


async def test_guesses_are_few_whatever_the_token(auth: Harness, people: People, owner: Person) -> None:
    phone = await Authenticator.added(auth, owner)
    tokens = [await pending(people, owner) for _ in range(3)]
    guesses = [second(auth, tokens[number % 3], code=f"{number:06}") for number in range(12)]
    statuses = [answer.status for answer in await asyncio.gather(*guesses)]
    assert (statuses.count(401), statuses.count(429)) == (FREE_ATTEMPTS, 12 - FREE_ATTEMPTS)
    assert (await second(auth, tokens[0], code=await phone.code())).status == 429, "also for the right one"
    told = await auth.spy.expect(UserSecondFactorFailed, lambda event: event.org == owner.org)
    assert told.data.user_id == owner.id


async def test_a_recovery_code_is_good_once_however_it_is_typed(
    auth: Harness, people: People, owner: Person
) -> None:
    phone = await Authenticator.added(auth, owner)
    assert len(set(phone.recovery_codes)) == 10
    typed = phone.recovery_codes[3].upper().replace("-", " ")
    statuses = [
        (await second(auth, await pending(people, owner), recovery_code=typed)).status for _ in range(2)
    ]
    assert statuses == [200, 401]
    used = await auth.spy.expect(UserRecoveryCodeUsed, lambda event: event.org == owner.org)
    assert used.data.left == 9
    assert (await owner.client.get("/v1/me/second-factors")).json()["recovery_codes"] == 9


async def test_renewed_recovery_codes_replace_the_old(auth: Harness, people: People, owner: Person) -> None:
    assert (await owner.client.post("/v1/me/recovery-codes")).status == 409, "nothing to stand in for"
    phone = await Authenticator.added(auth, owner)
    fresh = (await owner.client.post("/v1/me/recovery-codes")).json()["recovery_codes"]
    token = await pending(people, owner)
    assert (await second(auth, token, recovery_code=phone.recovery_codes[0])).status == 401
    assert (await second(auth, token, recovery_code=fresh[0])).status == 200
    told = await auth.spy.expect(UserRecoveryCodeRenewed, lambda event: event.org == owner.org)
    assert told.data.user_id == owner.client.user_id


async def test_a_removed_factor_is_not_asked_for(auth: Harness, people: People, owner: Person) -> None:
    phone = await Authenticator.added(auth, owner)
    assert (await owner.client.post("/v1/me/totp")).status == 409
    token = await pending(people, owner)
    assert (await owner.client.delete("/v1/me/totp")).status == 204
    await auth.spy.expect(UserSecondFactorRemoved, lambda event: event.org == owner.org)
    assert (await owner.client.delete("/v1/me/totp")).status == 409
    assert (await second(auth, token, recovery_code=phone.recovery_codes[0])).status == 401
    assert (await people.sign_in(owner.email)).json()["state"] == "signed_in"


async def test_a_reset_password_is_not_enough(auth: Harness, people: People, owner: Person) -> None:
    await Authenticator.added(auth, owner)
    token = await pending(people, owner)
    other = "nine herons wait at the weir"
    body = {"current_password": PASSWORD, "password": other}
    assert (await owner.client.put("/v1/me/password", body)).status == 204
    assert (await people.sign_in(owner.email, other)).json()["state"] == "second_factor"
    assert (await second(auth, token, code="000000")).status == 401, "begun under the old password"


async def test_an_invitation_is_no_way_around(auth: Harness, people: People, owner: Person) -> None:
    phone = await Authenticator.added(auth, owner)
    elsewhere = await people.owner()
    accepted = await people.accept(await people.invite(elsewhere, owner.email))
    assert (accepted.status, accepted.json()["state"]) == (201, "second_factor")
    done = await second(auth, accepted.json()["pending_token"], code=await phone.code())
    assert people.person(done).org == elsewhere.org


async def test_secrets_stand_nowhere_in_the_clear(auth: Harness, owner: Person) -> None:
    phone = await Authenticator.added(auth, owner)
    await auth.spy.expect(UserSecondFactorAdded, lambda event: event.org == owner.org)
    for table in ("totp_factors", "recovery_codes", "pending_sign_ins", "auth_bus.jobs"):
        rows = await auth.app.db.fetch(f"SELECT t::text AS text FROM {table} AS t")
        for secret in (phone.secret, *phone.recovery_codes):
            assert not [row for row in rows if secret in row["text"]]
    assert phone.secret not in str(auth.spy.events)

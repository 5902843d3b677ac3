"""What is not the word of a passkey's owner, to us, now: refused, and told where it is known whose it is."""

import asyncio
from collections.abc import Callable
from copy import deepcopy

import pytest
from flotilla.events.security import UserPasskeyRefused
from flotilla.testing import Harness
from flotilla.testing.mailbox import Mailbox
from flotilla_auth.domain.opaque import digest_of
from flotilla_auth.testing import People, Person
from webauthn.helpers import base64url_to_bytes

from services.auth.tests import keys
from services.auth.tests.soft_authenticator import Json, SoftAuthenticator

Lie = Callable[[SoftAuthenticator], None]
LIES: dict[str, Lie] = {
    "wrong origin": lambda device: setattr(device, "origin", "https://flotilla.example.evil"),
    "origin that only begins so": lambda device: setattr(device, "origin", device.origin + "1"),
    "wrong relying party": lambda device: setattr(device, "rp_id", "evil.example"),
    "owner not made sure of": lambda device: setattr(device, "verifies", False),
    "inside of another's page": lambda device: setattr(device, "embedded", True),
}


@pytest.fixture
def device(origin: str) -> SoftAuthenticator:
    return SoftAuthenticator(origin)


async def refused(auth: Harness, person: Person, reason: str) -> UserPasskeyRefused:
    told = await auth.spy.expect(
        UserPasskeyRefused, lambda event: event.org == person.org and event.data.reason == reason
    )
    assert told.envelope.audience == f"user:{person.id}"
    return told.data


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_it_signs_nobody_in(auth: Harness, owner: Person, device: SoftAuthenticator, lie: Lie) -> None:
    added = await keys.add(owner, device)
    lie(device)
    answer = await keys.sign_in(auth, device)
    assert (answer.status, "access_token" in answer.json()) == (401, False)
    told = await refused(auth, owner, "invalid")
    assert str(told.passkey_id) == added["passkey"]["id"]


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_it_is_not_registered(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator, lie: Lie
) -> None:
    lie(device)
    answer = await keys.register(owner.client, device)
    assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, "/credential")
    assert (await people.sign_in(owner.email)).json()["state"] == "signed_in"


async def test_step_up_takes_the_owner_in_person(
    auth: Harness, owner: Person, device: SoftAuthenticator
) -> None:
    await keys.add(owner, device)
    device.verifies = False
    assert (await keys.step_up(owner.client, device)).status == 422
    await refused(auth, owner, "invalid")


async def test_a_challenge_is_answered_once(auth: Harness, owner: Person, device: SoftAuthenticator) -> None:
    await keys.add(owner, device)
    nobody = auth.anonymous()
    asked = await keys.options(nobody, "/v1/sign-in/passkey")
    answers = [{"credential": device.get(asked)} for _ in range(2)]
    path = "/v1/sign-in/passkey/complete"
    same = await asyncio.gather(*(nobody.post(path, answers[0]) for _ in range(3)))
    assert sorted(answer.status for answer in same) == [200, 401, 401]
    assert (await nobody.post(path, answers[1])).status == 401, "a fresh signature of a spent challenge"


async def test_a_challenge_does_not_last(auth: Harness, owner: Person, device: SoftAuthenticator) -> None:
    await keys.add(owner, device)
    nobody = auth.anonymous()
    told = await keys.options(nobody, "/v1/sign-in/passkey")
    changed = await auth.app.db.execute(
        "UPDATE passkey_challenges SET expires_at = now() WHERE challenge_hash = $1",
        digest_of(base64url_to_bytes(told["challenge"])),
    )
    assert changed == "UPDATE 1"
    late = await nobody.post("/v1/sign-in/passkey/complete", {"credential": device.get(told)})
    assert late.status == 401


async def test_a_challenge_is_for_one_purpose_and_one_session(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator
) -> None:
    await keys.add(owner, device)
    nobody = auth.anonymous()
    for_step_up = device.get(await keys.options(owner.client, "/v1/step-up/passkey"))
    answer = await nobody.post("/v1/sign-in/passkey/complete", {"credential": for_step_up})
    assert answer.status == 401
    elsewhere = people.person(await keys.sign_in(auth, device))
    of_another = device.get(await keys.options(elsewhere.client, "/v1/step-up/passkey"))
    assert (await owner.client.post("/v1/step-up", {"passkey": of_another})).status == 422
    tokens = [(await people.sign_in(owner.email)).json()["pending_token"] for _ in range(2)]
    path = "/v1/sign-in/second-factor/passkey"
    signed = device.get(await keys.options(nobody, path, {"pending_token": tokens[0]}))
    crossed = {"pending_token": tokens[1], "passkey": signed}
    assert (await nobody.post("/v1/sign-in/second-factor", crossed)).status == 401


async def test_a_passkey_is_added_by_the_session_that_began(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator
) -> None:
    elsewhere = people.person(await people.sign_in(owner.email))
    made = device.create(await keys.options(elsewhere.client, "/v1/me/passkeys"))
    answer = await owner.client.post("/v1/me/passkeys/complete", {"credential": made})
    assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, "/credential")


async def test_nobody_registers_with_anothers_challenge(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator
) -> None:
    stranger = await people.owner()
    made = device.create(await keys.options(stranger.client, "/v1/me/passkeys"))
    answer = await owner.client.post("/v1/me/passkeys/complete", {"credential": made})
    assert answer.status == 422


async def test_somebody_elses_passkey_is_no_second_factor(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator, origin: str
) -> None:
    await keys.add(owner, device)
    thief, theirs = await people.owner(), SoftAuthenticator(origin)
    await keys.add(thief, theirs)
    token = (await people.sign_in(owner.email)).json()["pending_token"]
    own = next(iter(theirs.keys))
    assert (await keys.second_step(auth, token, theirs, credential_id=own)).status == 401
    told = await refused(auth, owner, "anothers")
    assert told.passkey_id is None


async def test_who_says_to_be_somebody_else_is_nobody(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator
) -> None:
    await keys.add(owner, device)
    other = await people.owner()
    key = next(iter(device.keys.values()))
    key.user_handle = other.id.bytes
    assert (await keys.sign_in(auth, device)).status == 401
    assert (await keys.sign_in(auth, device, userHandle=None)).status == 401, "nor who does not say"


async def test_a_signature_of_something_else(auth: Harness, owner: Person, device: SoftAuthenticator) -> None:
    await keys.add(owner, device)
    nobody = auth.anonymous()
    good = device.get(await keys.options(nobody, "/v1/sign-in/passkey"))
    for field, value in (
        ("signature", good["response"]["signature"][:-6] + "AAAAAA"),
        ("signature", "AAAA"),
        ("authenticatorData", "AAAA"),
        ("clientDataJSON", "AAAA"),
    ):
        assert (await keys.sign_in(auth, device, **{field: value})).status == 401, field
    assert (await keys.sign_in(auth, device)).status == 200, "and the right one is taken"


async def test_a_count_that_goes_back_is_a_copy(
    auth: Harness, people: People, mailbox: Mailbox, owner: Person, device: SoftAuthenticator
) -> None:
    added = await keys.add(owner, device)
    copy = deepcopy(device)
    assert (await keys.sign_in(auth, device)).status == 200
    assert (await keys.sign_in(auth, copy)).status == 401, "the same count again"
    told = await refused(auth, owner, "cloned")
    assert str(told.passkey_id) == added["passkey"]["id"]
    await mailbox.expect(owner.email, "/forgot-password", count=2)
    assert (await keys.sign_in(auth, device)).status == 401, "which of the two is its owner's, nobody knows"
    await refused(auth, owner, "suspended")
    (shown,) = (await owner.client.get("/v1/me/passkeys")).json()["items"]
    assert shown["refused_since"] is not None
    half_way = (await people.sign_in(owner.email)).json()
    assert half_way["state"] == "second_factor", "a copy is no way to get rid of the second factor"


async def test_one_registered_already_is_not_taken_again(
    people: People, owner: Person, device: SoftAuthenticator
) -> None:
    await keys.add(owner, device)
    (credential_id,) = device.keys
    told = await keys.options(owner.client, "/v1/me/passkeys")
    assert [base64url_to_bytes(each["id"]) for each in told["excludeCredentials"]] == [credential_id]
    other = await people.owner()
    made = device.create(await keys.options(other.client, "/v1/me/passkeys"), credential_id=credential_id)
    answer = await other.client.post("/v1/me/passkeys/complete", {"credential": made})
    assert answer.status == 409
    assert (await keys_of(other)) == []


async def keys_of(person: Person) -> list[Json]:
    items: list[Json] = (await person.client.get("/v1/me/passkeys")).json()["items"]
    return items

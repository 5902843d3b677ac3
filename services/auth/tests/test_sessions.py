"""Refresh tokens and the end of sessions."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from flotilla.events.auth import SessionEnded
from flotilla.testing import Harness
from flotilla_auth.domain.opaque import digest
from flotilla_auth.testing import People, Person, claims
from flotilla_auth.workers import sweep


def _ended(session_id: object, event: Any) -> bool:
    return bool(event.data.session_id == session_id)


async def test_each_refresh_gives_the_next_token(people: People, owner: Person) -> None:
    token = owner.refresh_token
    for _ in range(3):
        answer = await people.refresh(token)
        assert answer.status == 200
        assert claims(answer.json()["access_token"])["sid"] == str(owner.session)
        assert answer.json()["refresh_token"] != token
        token = answer.json()["refresh_token"]


async def _grace_is_over(auth: Harness, person: Person) -> None:
    async with auth.app.db.transaction(person.org) as tx:
        await tx.execute(
            "UPDATE sessions SET used_at = used_at - interval '31 seconds' WHERE organization_id = $1 AND id = $2",
            person.org,
            person.session,
        )


async def _is_over(auth: Harness, people: People, owner: Person, newest: str) -> None:
    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == owner.session)
    assert ended.data.reason == "refresh_reused"
    assert ended.envelope.audience == f"user:{owner.id}"
    assert (await people.refresh(newest)).status == 401
    assert (await people.sign_in(owner.email)).status == 200


async def test_a_token_used_before_ends_the_session_for_everybody(
    auth: Harness, people: People, owner: Person
) -> None:
    stolen = owner.refresh_token
    newest = (await people.refresh(stolen)).json()["refresh_token"]
    await _grace_is_over(auth, owner)

    assert (await people.refresh(stolen)).status == 401
    await _is_over(auth, people, owner, newest)


async def test_a_token_older_than_the_last_ends_the_session_at_once(
    auth: Harness, people: People, owner: Person
) -> None:
    stolen = owner.refresh_token
    last = (await people.refresh(stolen)).json()["refresh_token"]
    newest = (await people.refresh(last)).json()["refresh_token"]

    assert (await people.refresh(stolen)).status == 401, "within its grace, but its next one has been used"
    await _is_over(auth, people, owner, newest)


async def test_who_stole_a_token_within_its_grace_is_found_out_by_the_next(
    auth: Harness, people: People, owner: Person
) -> None:
    following = (await people.refresh(owner.refresh_token)).json()["refresh_token"]
    stolen = (await people.refresh(owner.refresh_token)).json()["refresh_token"]
    assert stolen == following
    newest = (await people.refresh(stolen)).json()["refresh_token"]
    await _grace_is_over(auth, owner)

    assert (await people.refresh(following)).status == 401
    await _is_over(auth, people, owner, newest)


async def test_who_lost_the_answer_gets_the_same_next_token(
    auth: Harness, people: People, owner: Person
) -> None:
    lost = (await people.refresh(owner.refresh_token)).json()

    again = (await people.refresh(owner.refresh_token)).json()

    assert again["refresh_token"] == lost["refresh_token"]
    assert again["refresh_expires_at"] == lost["refresh_expires_at"]
    assert claims(again["access_token"])["sid"] == str(owner.session)
    assert (await people.refresh(again["refresh_token"])).status == 200
    assert not [event for event in auth.spy.of(SessionEnded) if event.data.session_id == owner.session]


async def test_of_refreshes_at_once_all_get_the_same_next_token(
    auth: Harness, people: People, owner: Person
) -> None:
    answers = await asyncio.gather(*(people.refresh(owner.refresh_token) for _ in range(5)))

    assert [answer.status for answer in answers] == [200] * 5
    following = {answer.json()["refresh_token"] for answer in answers}
    assert len(following) == 1
    assert (await people.refresh(following.pop())).status == 200
    assert not [event for event in auth.spy.of(SessionEnded) if event.data.session_id == owner.session]


async def test_an_expired_or_made_up_token_buys_nothing(auth: Harness, people: People, owner: Person) -> None:
    await auth.app.db.execute(
        "UPDATE refresh_tokens SET expires_at = now() WHERE token_hash = $1", digest(owner.refresh_token)
    )

    assert (await people.refresh(owner.refresh_token)).status == 401
    assert (await people.refresh("flr_made_up")).status == 401
    assert (await people.refresh("")).status == 401


async def _began(auth: Harness, person: Person, ago: timedelta) -> None:
    async with auth.app.db.transaction(person.org) as tx:
        await tx.execute(
            "UPDATE sessions SET created_at = now() - $3::interval WHERE organization_id = $1 AND id = $2",
            person.org,
            person.session,
            ago,
        )


async def test_a_session_ends_however_much_it_is_used(auth: Harness, people: People, owner: Person) -> None:
    fresh = datetime.fromisoformat((await people.refresh(owner.refresh_token)).json()["refresh_expires_at"])
    assert fresh - datetime.now(UTC) > timedelta(days=6), "without use it lasts a week"
    late = people.person(await people.sign_in(owner.email))
    await _began(auth, late, timedelta(days=29))

    renewed = (await people.refresh(late.refresh_token)).json()

    left = datetime.fromisoformat(renewed["refresh_expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=20) < left < timedelta(hours=25), "the thirtieth day is its last"
    await _began(auth, late, timedelta(days=30, seconds=1))
    assert (await people.refresh(renewed["refresh_token"])).status == 401
    assert (await people.sign_in(owner.email)).status == 200, "and its owner begins another"


async def test_signing_out_ends_the_session(auth: Harness, people: People, owner: Person) -> None:
    assert (await owner.client.post("/v1/sign-out")).status == 204

    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == owner.session)
    assert (ended.data.reason, ended.sequence) == ("signed_out", 2)
    assert (await people.refresh(owner.refresh_token)).status == 401
    assert (await owner.client.post("/v1/sign-out")).status == 204, "twice is once"


async def test_devices_are_listed_and_ended(auth: Harness, people: People, owner: Person) -> None:
    other = people.person(await people.sign_in(owner.email))

    listed = (await owner.client.get("/v1/sessions")).json()["items"]
    assert [(item["id"], item["current"]) for item in listed] == [
        (str(other.session), False),
        (str(owner.session), True),
    ]

    assert (await owner.client.delete(f"/v1/sessions/{other.session}")).status == 204
    assert [item["id"] for item in (await owner.client.get("/v1/sessions")).json()["items"]] == [
        str(owner.session)
    ]
    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == other.session)
    assert ended.data.reason == "revoked"
    assert (await people.refresh(other.refresh_token)).status == 401


async def test_all_others_are_ended_at_once(auth: Harness, people: People, owner: Person) -> None:
    others = [people.person(await people.sign_in(owner.email)) for _ in range(2)]
    member = await people.member(owner, "viewer")

    assert (await owner.client.delete("/v1/sessions")).status == 204

    assert {(await people.refresh(other.refresh_token)).status for other in others} == {401}
    for other in others:
        await auth.spy.expect(SessionEnded, partial(_ended, other.session))
    assert (await people.refresh(owner.refresh_token)).status == 200
    assert (await people.refresh(member.refresh_token)).status == 200, "another person's"


async def test_sessions_come_in_pages(people: People, owner: Person) -> None:
    for _ in range(3):
        await people.sign_in(owner.email)

    seen: list[str] = []
    path: str | None = "/v1/sessions?limit=3"
    while path:
        found = (await owner.client.get(path)).json()
        seen += [item["id"] for item in found["items"]]
        path = found["next_cursor"] and f"/v1/sessions?limit=3&cursor={found['next_cursor']}"

    assert len(seen) == len(set(seen)) == 4
    assert seen == sorted(seen, reverse=True)


async def test_nobody_ends_the_session_of_another(people: People, owner: Person) -> None:
    admin = await people.member(owner, "admin")
    stranger = await people.owner()

    for other in (admin, stranger):
        assert (await other.client.delete(f"/v1/sessions/{owner.session}")).status == 404
    assert (await people.refresh(owner.refresh_token)).status == 200


async def test_what_expired_is_swept_away(auth: Harness, people: People, owner: Person) -> None:
    old = people.person(await people.sign_in(owner.email))
    async with auth.app.db.transaction(owner.org) as tx:
        await tx.execute(
            "UPDATE sessions SET expires_at = now() - $3::interval WHERE organization_id = $1 AND id = $2",
            owner.org,
            old.session,
            timedelta(days=2),
        )
        await tx.execute(
            "UPDATE refresh_tokens SET expires_at = now() - $3::interval"
            " WHERE organization_id = $1 AND session_id = $2",
            owner.org,
            old.session,
            timedelta(days=2),
        )

    await sweep(auth.app)

    async with auth.app.db.transaction(owner.org) as tx:
        left = await tx.fetch("SELECT id FROM sessions WHERE organization_id = $1", owner.org)
    assert [row["id"] for row in left] == [owner.session]
    assert (await people.refresh(owner.refresh_token)).status == 200

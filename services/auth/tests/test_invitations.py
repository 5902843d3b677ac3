"""Ways in."""

import asyncio

from flotilla.events.auth import InvitationAccepted, InvitationCreated, InvitationRevoked, UserCreated
from flotilla.testing import Harness
from flotilla_auth.testing import People, Person, fresh_email


async def test_an_invited_person_comes_in_with_their_role(
    auth: Harness, people: People, owner: Person
) -> None:
    email = fresh_email()
    invited = await owner.client.post("/v1/invitations", {"email": email, "role": "team_owner"})

    joined = people.person(await people.accept(invited.json()["token"]))

    assert (joined.org, joined.email) == (owner.org, email)
    assert joined.signed_in["user"]["role"] == "team_owner"
    created = await auth.spy.expect(InvitationCreated, lambda event: event.org == owner.org)
    accepted = await auth.spy.expect(InvitationAccepted, lambda event: event.org == owner.org)
    assert (created.data.state, accepted.data.state) == ("pending", "accepted")
    assert (created.sequence, accepted.sequence) == (1, 2)
    assert accepted.data.user_id == joined.id
    assert created.envelope.audience is None, "for owners and administrators"
    assert invited.json()["token"] not in str(auth.spy.events)
    await auth.spy.expect(UserCreated, lambda event: event.data.user_id == joined.id)
    assert (await people.sign_in(email)).status == 200


async def test_a_token_lets_one_in_once(people: People, owner: Person) -> None:
    invited = await owner.client.post("/v1/invitations", {"email": fresh_email()})
    token = invited.json()["token"]

    answers = await asyncio.gather(*(people.accept(token) for _ in range(4)))

    assert [answer.status for answer in answers].count(201) == 1
    assert {answer.status for answer in answers} <= {201, 401, 404, 409}
    assert (await people.accept(token)).status == 404
    listed = (await owner.client.get("/v1/users")).json()["items"]
    assert len(listed) == 2


async def test_one_invitation_an_address_is_pending(auth: Harness, people: People, owner: Person) -> None:
    body = {"email": fresh_email()}

    answers = await asyncio.gather(*(owner.client.post("/v1/invitations", body) for _ in range(3)))

    assert sorted(answer.status for answer in answers) == [201, 409, 409]
    first = next(answer for answer in answers if answer.status == 201)
    assert (await owner.client.delete(f"/v1/invitations/{first.json()['id']}")).status == 204
    await auth.spy.expect(InvitationRevoked, lambda event: event.org == owner.org)
    assert (await people.accept(first.json()["token"])).status == 404
    assert (await owner.client.post("/v1/invitations", body)).status == 201


async def test_an_expired_invitation_lets_nobody_in_and_makes_room(
    auth: Harness, people: People, owner: Person
) -> None:
    body = {"email": fresh_email()}
    invited = await owner.client.post("/v1/invitations", body)
    async with auth.app.db.transaction(owner.org) as tx:
        await tx.execute("UPDATE invitations SET expires_at = now() WHERE organization_id = $1", owner.org)

    assert (await people.accept(invited.json()["token"])).status == 409
    path = f"/v1/invitations/{invited.json()['id']}"
    assert (await owner.client.get(path)).json()["state"] == "expired"
    assert (await owner.client.post("/v1/invitations", body)).status == 201


async def test_members_are_not_invited_again(people: People, owner: Person) -> None:
    member = await people.member(owner, "viewer")

    assert (await owner.client.post("/v1/invitations", {"email": member.email.upper()})).status == 409


async def test_a_weak_password_leaves_the_invitation_open(people: People, owner: Person) -> None:
    invited = await owner.client.post("/v1/invitations", {"email": fresh_email()})
    token = invited.json()["token"]

    assert (await people.accept(token, "password1234")).status == 422
    assert (await people.accept(token)).status == 201


async def test_the_token_is_shown_once(owner: Person) -> None:
    invited = await owner.client.post("/v1/invitations", {"email": fresh_email()})
    token = invited.json()["token"]

    one = await owner.client.get(f"/v1/invitations/{invited.json()['id']}")
    everything = await owner.client.get("/v1/invitations")

    assert token not in one.body.decode() + everything.body.decode()
    assert [item["state"] for item in everything.json()["items"]] == ["pending"]

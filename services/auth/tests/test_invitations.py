"""Ways in."""

import asyncio

from flotilla.events.auth import InvitationAccepted, InvitationCreated, InvitationRevoked, UserCreated
from flotilla.events.security import MailFailed, MailSent
from flotilla.testing import Harness
from flotilla.testing.mailbox import Mailbox
from flotilla_auth.mail.sending import MOST_AN_HOUR
from flotilla_auth.testing import People, Person, fresh_email


async def test_an_invited_person_comes_in_with_their_role(
    auth: Harness, people: People, owner: Person
) -> None:
    email = fresh_email()
    token = await people.invite(owner, email, "team_owner")

    joined = people.person(await people.accept(token))

    assert (joined.org, joined.email) == (owner.org, email)
    assert joined.signed_in["user"]["role"] == "team_owner"
    created = await auth.spy.expect(InvitationCreated, lambda event: event.org == owner.org)
    accepted = await auth.spy.expect(InvitationAccepted, lambda event: event.org == owner.org)
    assert (created.data.state, accepted.data.state) == ("pending", "accepted")
    assert (created.sequence, accepted.sequence) == (1, 2)
    assert accepted.data.user_id == joined.id
    assert created.envelope.audience is None, "for owners and administrators"
    assert token not in str(auth.spy.events)
    told = await auth.spy.expect(
        MailSent, lambda event: event.org == owner.org and event.data.kind == "invitation"
    )
    assert told.data.user_id == owner.id, "whoever invited"
    assert (await joined.client.get("/v1/me")).json()["email_verified"] is True, "the mail reached them"
    await auth.spy.expect(UserCreated, lambda event: event.data.user_id == joined.id)
    assert (await people.sign_in(email)).status == 200


async def test_a_token_lets_one_in_once(people: People, owner: Person) -> None:
    token = await people.invite(owner, fresh_email())

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
    token = await people.token_of(first)
    assert (await owner.client.delete(f"/v1/invitations/{first.json()['id']}")).status == 204
    await auth.spy.expect(InvitationRevoked, lambda event: event.org == owner.org)
    assert (await people.accept(token)).status == 404
    assert (await owner.client.post("/v1/invitations", body)).status == 201


async def test_an_expired_invitation_lets_nobody_in_and_makes_room(
    auth: Harness, people: People, owner: Person
) -> None:
    body = {"email": fresh_email()}
    invited = await owner.client.post("/v1/invitations", body)
    token = await people.token_of(invited)
    async with auth.app.db.transaction(owner.org) as tx:
        await tx.execute("UPDATE invitations SET expires_at = now() WHERE organization_id = $1", owner.org)

    assert (await people.accept(token)).status == 409
    path = f"/v1/invitations/{invited.json()['id']}"
    assert (await owner.client.get(path)).json()["state"] == "expired"
    assert (await owner.client.post("/v1/invitations", body)).status == 201


async def test_members_are_not_invited_again(people: People, owner: Person) -> None:
    member = await people.member(owner, "viewer")

    assert (await owner.client.post("/v1/invitations", {"email": member.email.upper()})).status == 409


async def test_a_weak_password_leaves_the_invitation_open(people: People, owner: Person) -> None:
    token = await people.invite(owner, fresh_email())

    assert (await people.accept(token, "password1234")).status == 422
    assert (await people.accept(token)).status == 201


async def test_the_token_reaches_nobody_but_the_invited(auth: Harness, people: People, owner: Person) -> None:
    invited = await owner.client.post("/v1/invitations", {"email": fresh_email()})
    token = await people.token_of(invited)

    one = await owner.client.get(f"/v1/invitations/{invited.json()['id']}")
    everything = await owner.client.get("/v1/invitations")

    assert invited.json()["token"] is None
    assert token not in invited.body.decode() + one.body.decode() + everything.body.decode()
    assert [item["state"] for item in everything.json()["items"]] == ["pending"]
    for table in ("invitation_tokens", "auth_bus.jobs"):
        rows = await auth.app.db.fetch(f"SELECT t::text AS text FROM {table} AS t")
        assert not [row for row in rows if token in row["text"]]


async def test_nobodys_mailbox_is_filled_with_invitations(
    auth: Harness, people: People, mailbox: Mailbox, owner: Person
) -> None:
    body = {"email": fresh_email()}
    for number in range(MOST_AN_HOUR):
        made = await owner.client.post("/v1/invitations", body)
        await people.token_of(made, count=number + 1)
        assert (await owner.client.delete(f"/v1/invitations/{made.json()['id']}")).status == 204

    assert (await owner.client.post("/v1/invitations", body)).status == 201

    failed = await auth.spy.expect(MailFailed, lambda event: event.org == owner.org)
    assert failed.data.reason == "too_many"
    assert len(mailbox.to(body["email"])) == MOST_AN_HOUR

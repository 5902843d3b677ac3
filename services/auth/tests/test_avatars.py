"""Pictures of people: given, seen by who is in their organization, changed, taken away; and what is no picture."""

import base64
import io

from flotilla.events.auth import UserUpdated
from flotilla.privacy import Person as Subject
from flotilla.testing import Harness
from flotilla.testing.pictures import png
from flotilla_auth.avatars import place
from flotilla_auth.domain.pictures import MOST_BYTES
from flotilla_auth.privacy import privacy
from flotilla_auth.testing import People, Person
from PIL import Image

OWN = "/v1/me/avatar"
RED, BLUE = png(200, 30, 30), png(30, 30, 200)


async def test_a_picture_is_given_seen_changed_and_taken_away(
    auth: Harness, people: People, owner: Person
) -> None:
    member, stranger = await people.member(owner, "viewer"), await people.owner()
    assert (await owner.client.get("/v1/me")).json()["avatar_url"] is None
    assert (await owner.client.get(OWN)).status == 404

    given = await owner.client.put(OWN, body=RED, headers={"Content-Type": "image/png"})
    assert (given.status, given.headers["ETag"]) == (200, '"2"'), given.body
    assert given.json()["avatar_url"] == f"{OWN}?v=2"
    first = f"/v1/users/{owner.id}/avatar?v=2"
    listed = {
        each["id"]: each["avatar_url"] for each in (await member.client.get("/v1/users")).json()["items"]
    }
    assert listed == {str(owner.id): first, str(member.id): None}
    told = await auth.spy.expect(UserUpdated, lambda event: event.data.user_id == owner.id)
    assert (told.data.avatar_url, told.data.changed) == (first, {"avatar_url": [None, first]})

    seen = await member.client.get(first)
    assert (seen.status, seen.headers["Content-Type"], seen.headers["ETag"]) == (200, "image/webp", '"2"')
    assert seen.headers["Cache-Control"].startswith("private, ")
    assert seen.headers["X-Content-Type-Options"] == "nosniff"
    assert seen.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    with Image.open(io.BytesIO(seen.body)) as image:
        assert image.size == (256, 256)
    again = await member.client.get(first, headers={"If-None-Match": '"1", W/"2"'})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", '"2"')
    assert (await stranger.client.get(first)).status == 404
    assert (await auth.anonymous().get(first)).status == 401

    late = await owner.client.put(OWN, body=BLUE, headers={"If-Match": '"1"'})
    assert late.status == 412
    changed = await owner.client.put(OWN, body=BLUE, headers={"If-Match": '"2"'})
    assert changed.json()["avatar_url"] == f"{OWN}?v=3", "another address, so no cache shows the one before"
    other = await member.client.get(first, headers={"If-None-Match": '"2"'})
    assert (other.status, other.headers["ETag"]) == (200, '"3"')
    assert other.body != seen.body

    assert (await owner.client.delete(OWN, headers={"If-Match": '"2"'})).status == 412
    for _ in range(2):
        assert (await owner.client.delete(OWN)).status == 204
    assert (await member.client.get(first)).status == 404
    gone = await auth.spy.expect(UserUpdated, lambda event: event.org == owner.org and event.sequence == 4)
    assert gone.data.changed == {"avatar_url": [f"/v1/users/{owner.id}/avatar?v=3", None]}


async def test_a_client_sees_no_colleague_and_their_own(people: People, owner: Person) -> None:
    client = await people.member(owner, "client")
    for person in (owner, client):
        assert (await person.client.put(OWN, body=RED)).status == 200
    assert (await client.client.get(f"/v1/users/{owner.id}/avatar")).status == 403
    own = (await client.client.get("/v1/me")).json()["avatar_url"]
    assert (await client.client.get(own)).status == 200
    assert (await owner.client.get(f"/v1/users/{client.id}/avatar")).status == 200
    program = people.auth.client(owner.org, "owner", owner.id, scopes=("profile:read", "users:read"))
    assert (await program.put(OWN, body=BLUE)).status == 403, "a program changes nobody"


async def test_what_is_no_picture_is_refused_and_changes_nothing(owner: Person) -> None:
    assert (await owner.client.put(OWN, body=RED)).status == 200
    before = (await owner.client.get(OWN)).body
    gif = io.BytesIO()
    Image.new("P", (8, 8)).save(gif, "GIF")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    for sent, status, said in (
        (b"", 422, "PNG, JPEG or WebP"),
        (svg, 422, "SVG, GIF and others are not taken"),
        (gif.getvalue(), 422, "SVG, GIF and others are not taken"),
        (RED[:50], 422, "damaged"),
        (RED.ljust(MOST_BYTES + 1, b"x"), 413, str(MOST_BYTES)),
    ):
        # Whatever it calls itself, it is what its bytes say.
        refused = await owner.client.put(OWN, body=sent, headers={"Content-Type": "image/png"})
        assert refused.status == status, refused.body
        assert said in refused.json()["detail"]
    after = await owner.client.get(OWN)
    assert (after.body, after.headers["ETag"]) == (before, '"2"')


async def test_said_twice_with_one_key_it_is_done_once(owner: Person) -> None:
    key = {"Idempotency-Key": "my-picture"}
    answers = [await owner.client.put(OWN, body=RED, headers=key) for _ in range(2)]
    assert [answer.json()["avatar_url"] for answer in answers] == [f"{OWN}?v=2"] * 2
    assert (await owner.client.put(OWN, body=BLUE, headers=key)).status == 422, "the same key for another"


async def test_a_picture_is_sealed_and_in_what_somebody_is_given(
    auth: Harness, people: People, owner: Person
) -> None:
    member, stranger = await people.member(owner, "viewer"), await people.owner()
    for person in (owner, member):
        assert (await person.client.put(OWN, body=RED)).status == 200
    picture = (await owner.client.get(OWN)).body
    app = auth.app
    async with app.db.transaction(owner.org) as tx:
        rows = {row["user_id"]: row["sealed_picture"] for row in await tx.fetch("SELECT * FROM avatars")}
    assert not any(picture[:16] in sealed for sealed in rows.values())
    assert app.keyring.open(rows[owner.id], place(owner.org, owner.id)) == picture

    assert privacy.documents is not None
    given = dict([page async for page in privacy.documents(app, owner.org, Subject(users=(owner.id,)))])
    written = base64.b64encode(picture).decode()
    expected = {"user_id": owner.id, "media_type": "image/webp", "base64": written}
    assert given == {"avatar_pictures": [expected], "passkeys": []}
    ((_, everybodys),) = [page async for page in privacy.documents(app, owner.org, None)]
    assert {each["user_id"] for each in everybodys} == {owner.id, member.id}
    of_others = privacy.documents(app, stranger.org, Subject(users=(owner.id,)))
    assert [page async for page in of_others] == []

"""Files of conversations."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import pytest
from flotilla.events.threads import AttachmentStored
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla_messaging.domain.attachments import content_type_of

Received = Callable[..., Awaitable[UUID]]
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x07" * 1_500_000


async def put(client: Client, path: str, body: bytes) -> int:
    async with client.session.put(client.base_url + path, data=body, headers=client.headers) as answer:
        return answer.status


async def begin(people: Client, conversation_id: UUID, name: str = "photo.pdf", **more: Any) -> str:
    made = await people.post(f"/v1/conversations/{conversation_id}/attachments", {"name": name, **more})
    assert (made.status, made.json()["state"]) == (201, "uploading"), made.body
    return f"/v1/attachments/{made.json()['id']}"


def folder(messaging: Harness, org: UUID) -> Path:
    return Path(urlsplit(messaging.app.settings.files_url).path) / str(org) / "attachments"


async def test_a_file_comes_in_parts_and_is_fetched_by_its_link(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    conversation_id = await received()
    path = await begin(people, conversation_id)
    assert (await people.get(path)).json()["download_url"] is None
    assert await put(people, f"{path}/parts?number=2", PNG[1_000_000:]) == 204
    missing = await people.post(f"{path}/complete", {"parts": 2})
    assert (missing.status, missing.json()["detail"]) == (409, "Part 1 has not come.")
    assert await put(people, f"{path}/parts?number=1", b"something else") == 204
    assert await put(people, f"{path}/parts?number=1", PNG[:1_000_000]) == 204
    whole = (await people.post(f"{path}/complete", {"parts": 2})).json()
    digest = hashlib.sha256(PNG).hexdigest()
    assert (whole["content_type"], whole["size"], whole["sha256"]) == ("image/png", len(PNG), digest)
    again = await people.post(f"{path}/complete", {"parts": 1})
    assert (again.status, again.json()["sha256"]) == (200, digest)
    assert await put(people, f"{path}/parts?number=1", b"x") == 409
    told = await messaging.spy.expect(AttachmentStored, lambda event: event.org == org)
    assert (told.data.sha256, told.data.conversation_id) == (digest, conversation_id)
    assert told.envelope.actor == f"user:{people.user_id}"
    link = urlsplit(whole["download_url"])
    fetched = await messaging.anonymous().get(f"{link.path}?{link.query}")
    assert (fetched.status, fetched.body) == (200, PNG)
    assert fetched.headers["content-disposition"] == "attachment; filename*=UTF-8''photo.pdf"
    assert fetched.headers["x-content-type-options"] == "nosniff"
    listed = (await people.get(f"/v1/conversations/{conversation_id}/attachments")).json()["items"]
    assert [each["id"] for each in listed] == [whole["id"]]

    async def parts_gone() -> bool:
        return {each.parent.name for each in folder(messaging, org).rglob("*/*")} == {whole["id"]}

    await eventually(parts_gone)
    assert len(messaging.spy.of(AttachmentStored, org)) == 1


async def test_a_link_is_good_for_one_file_and_a_while(
    messaging: Harness, org: UUID, people: Client, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation_id = await received()
    links = []
    for text in (b"one", b"two"):
        path = await begin(people, conversation_id, "note.txt")
        await put(people, f"{path}/parts?number=1", text)
        stored = (await people.post(f"{path}/complete", {"parts": 1})).json()
        assert stored["content_type"] == "text/plain"
        links.append(urlsplit(stored["download_url"]))
    nobody = messaging.anonymous()
    for wrong in (
        f"{links[0].path}?{links[1].query}",
        f"{links[0].path}?token=x",
        f"{links[0].path}?token=é",
    ):
        assert (await nobody.get(wrong)).status == 404
    monkeypatch.setattr("flotilla_messaging.api.attachments.LINK_LIVES", timedelta(seconds=-1))
    late = urlsplit((await people.get(links[0].path.removesuffix("/content"))).json()["download_url"])
    assert (await nobody.get(f"{late.path}?{late.query}")).status == 410


async def test_what_is_too_large_or_no_file_is_refused(people: Client, received: Received) -> None:
    conversation_id = await received()
    path = await begin(people, conversation_id)
    assert await put(people, f"{path}/parts?number=1", b"x" * ((1 << 20) + 1)) == 413
    assert await put(people, f"{path}/parts?number=1", b"") == 422
    assert await put(people, f"{path}/parts?number=26", b"x") == 422
    assert (await people.post(f"{path}/complete", {"parts": 1})).status == 409
    for body in (
        {"name": "a/b"},
        {"name": ""},
        {"name": "a\x00"},
        {"name": "a", "message_id": str(new_id())},
    ):
        refused = await people.post(f"/v1/conversations/{conversation_id}/attachments", body)
        assert refused.status == 422, body
    assert (await people.post(f"/v1/conversations/{new_id()}/attachments", {"name": "a"})).status == 404


async def test_attachments_are_the_organizations_own(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    conversation_id = await received()
    path = await begin(people, conversation_id)
    stranger = messaging.client(new_id())
    assert await put(stranger, f"{path}/parts?number=1", b"x") == 404
    assert (await stranger.post(f"{path}/complete", {"parts": 1})).status == 404
    assert (await stranger.get(path)).status == 404
    assert (await stranger.get(f"/v1/conversations/{conversation_id}/attachments")).status == 404
    assert await put(messaging.client(org, "viewer"), f"{path}/parts?number=1", b"x") == 403


async def test_an_upload_that_nobody_ends_is_forgotten(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    path = await begin(people, await received())
    await put(people, f"{path}/parts?number=1", b"half of it")
    db = messaging.app.db
    jobs = "SELECT due_at, payload FROM jobs WHERE organization_id = $1 AND kind = 'upload_abandoned'"
    timer = await db.fetchrow(jobs, org)
    assert timer is not None
    assert timer["due_at"] > datetime.now(UTC) + timedelta(hours=23)
    assert msgspec.convert(timer["payload"], dict[str, str])["attachment_id"] == path.rsplit("/", 1)[1]
    await db.execute("UPDATE jobs SET due_at = now() WHERE organization_id = $1", org)
    messaging.app.jobs_wake.set()

    async def forgotten() -> bool:
        return (await people.get(path)).status == 404 and not list(folder(messaging, org).rglob("*/*"))

    await eventually(forgotten)


@pytest.mark.parametrize(
    ("head", "name", "found"),
    [
        (PNG[:100], "a.txt", "image/png"),
        (b"%PDF-1.4\n%abc", "a", "application/pdf"),
        ("Grüße".encode()[:-1], "a.png", "text/plain"),
        (b"\x00\x01\x02\x03", "a.txt", "application/octet-stream"),
        (b"", "a.txt", "text/plain"),
    ],
)
def test_a_file_is_what_its_bytes_say(head: bytes, name: str, found: str) -> None:
    assert content_type_of(head, name) == found

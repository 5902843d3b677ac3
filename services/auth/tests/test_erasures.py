"""Erasures and exports as auth carries them: asked, answered by all, reported; the other services are played here."""

import hashlib
import io
import zipfile
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from flotilla.cause import Cause
from flotilla.events.privacy import (
    ContactResolved,
    ContactResolveFailed,
    ContactResolveRequested,
    ErasureCompleted,
    ErasureFailed,
    ErasureRequested,
    ExportCompleted,
    ExportRequested,
)
from flotilla.events.websocket import NotificationRequested
from flotilla.ids import new_id
from flotilla.service import FLEET
from flotilla.store.files import Files
from flotilla.testing import Harness, eventually
from flotilla.testing.pictures import png
from flotilla_auth import privacy_report
from flotilla_auth.testing import People, Person
from joserfc.errors import BadSignatureError
from joserfc.jwk import OKPKey

Json = dict[str, Any]
OTHERS = [service for service in FLEET if service != "auth"]


class Fleet:
    """The other services, as a test has them answer."""

    def __init__(self, auth: Harness, owner: Person) -> None:
        self.auth = auth
        self.owner = owner

    async def asked(self, type_: type[Any], attempt: int = 1) -> Any:
        found = await self.auth.spy.expect(
            type_, lambda event: event.org == self.owner.org and event.sequence == attempt
        )
        return found.data

    async def answer(self, fact: Any) -> None:
        cause = Cause(correlation_id=new_id(), request_id=fact.request_id)
        await self.auth.publish(fact, org=self.owner.org, sequence=1, cause=cause)

    async def erased(self, request: ErasureRequested, *services: str) -> None:
        for service in services:
            fact = ErasureCompleted(request_id=request.request_id, service=service, erased={"things": 2})
            await self.answer(fact)

    async def state(self, path: str) -> Json:
        found: Json = (await self.owner.client.get(path)).json()
        return found

    async def until(self, path: str, state: str) -> Json:
        async def reached() -> Json:
            shown = await self.state(path)
            assert shown["state"] == state, shown
            return shown

        return await eventually(reached)

    async def hurry(self, request_id: object) -> None:
        await self.auth.app.db.execute(
            "UPDATE jobs SET due_at = now() WHERE kind = 'privacy_overdue' AND key = $1", str(request_id)
        )


@pytest.fixture
def fleet(auth: Harness, owner: Person) -> Fleet:
    return Fleet(auth, owner)


async def _begin(owner: Person, body: Json, what: str = "erasures") -> Json:
    begun = await owner.client.post(f"/v1/{what}", body)
    assert begun.status == 202, begun.body
    made: Json = begun.json()
    return made


async def test_all_are_asked_and_what_they_did_is_signed(auth: Harness, owner: Person, fleet: Fleet) -> None:
    contact, other, identity = new_id(), new_id(), new_id()
    begun = await _begin(owner, {"contact_id": str(contact)})
    wish = await fleet.asked(ContactResolveRequested)
    assert (wish.contact_id, str(wish.request_id)) == (contact, begun["id"])
    again = await owner.client.post("/v1/erasures", {"contact_id": str(contact)})
    assert again.status == 409, "one at a time"

    await fleet.answer(
        ContactResolved(request_id=wish.request_id, contact_ids=[contact, other], identity_ids=[identity])
    )
    request = await fleet.asked(ErasureRequested)
    assert request.services == sorted(FLEET)
    assert (request.contact_ids, request.identity_ids) == ([contact, other], [identity])

    await fleet.erased(request, *OTHERS)
    over = await fleet.until(f"/v1/erasures/{begun['id']}", "done")
    assert {answer["state"] for answer in over["services"]} == {"completed"}
    told = await auth.spy.expect(
        NotificationRequested, lambda event: event.org == owner.org and event.data.kind == "erasure.done"
    )
    assert told.data.user_id == owner.id

    link = urlsplit(begun["report_link"]["url"])
    report = await auth.anonymous().get(f"{link.path}?{link.query}")
    assert report.headers["Content-Type"] == "application/jose"
    published = (await auth.anonymous().get("/v1/report-keys")).json()
    keys = {key["kid"]: OKPKey.import_key(key) for key in published}
    said = privacy_report.verify(report.body.decode(), keys)
    assert said["request_id"] == begun["id"]
    assert {each["service"]: each["erased"] for each in said["services"]}["crm"] == {"things": 2}
    assert len(said["services"]) == len(FLEET)
    head, body, signature = report.body.decode().split(".")
    with pytest.raises(BadSignatureError):
        privacy_report.verify(f"{head}.{body[:-2]}AA.{signature}", keys)
    assert (await auth.anonymous().get(f"{link.path}?token={'x' * 43}")).status == 404


async def test_nobody_is_asked_about_somebody_unknown(owner: Person, fleet: Fleet) -> None:
    begun = await _begin(owner, {"contact_id": str(new_id())})
    wish = await fleet.asked(ContactResolveRequested)
    await fleet.answer(ContactResolveFailed(request_id=wish.request_id, reason="unknown_contact"))
    over = await fleet.until(f"/v1/erasures/{begun['id']}", "failed")
    assert over["reason"] == "unknown_contact"


async def test_who_is_late_is_asked_again_and_owners_are_told(
    auth: Harness, owner: Person, fleet: Fleet, people: People
) -> None:
    contact = new_id()
    begun = await _begin(owner, {"contact_id": str(contact)})
    wish = await fleet.asked(ContactResolveRequested)
    await fleet.answer(ContactResolved(request_id=wish.request_id, contact_ids=[contact], identity_ids=[]))
    request = await fleet.asked(ErasureRequested)
    await fleet.erased(request, *(name for name in OTHERS if name not in ("crm", "ai")))
    await fleet.answer(ErasureFailed(request_id=request.request_id, service="ai", reason="TimeoutError"))

    async def failed() -> bool:
        shown = await fleet.state(f"/v1/erasures/{begun['id']}")
        states = {answer["service"]: answer["state"] for answer in shown["services"]}
        return bool(states["ai"] == "failed" and states["auth"] == states["kyb"] == "completed")

    await eventually(failed)
    for attempt in (2, 3, 4):
        await fleet.hurry(begun["id"])
        again = await fleet.asked(ErasureRequested, attempt)
        assert (again.services, again.attempt) == (["ai", "crm"], attempt)
    told = await auth.spy.expect(
        NotificationRequested, lambda event: event.org == owner.org and event.data.kind == "erasure.overdue"
    )
    assert "crm" in (told.data.text or "")

    await fleet.erased(request, "crm", "ai", "ai")
    await fleet.until(f"/v1/erasures/{begun['id']}", "done")


async def test_a_colleague_is_erased_once_they_are_gone(
    auth: Harness, people: People, owner: Person, fleet: Fleet
) -> None:
    member = await people.member(owner, "team_member")
    refused = await owner.client.post("/v1/erasures", {"user_id": str(member.id)})
    assert refused.status == 409
    assert (await member.client.put("/v1/me/avatar", body=png(200, 30, 30))).status == 200
    assert (await owner.client.patch(f"/v1/users/{member.id}", {"state": "deactivated"})).status == 200
    before = (await owner.client.get(f"/v1/users/{member.id}")).json()

    begun = await _begin(owner, {"user_id": str(member.id)})
    request = await fleet.asked(ErasureRequested)
    assert request.user_ids == [member.id]
    await fleet.erased(request, *OTHERS)

    over = await fleet.until(f"/v1/erasures/{begun['id']}", "done")
    own = next(answer["result"] for answer in over["services"] if answer["service"] == "auth")
    assert (own["users"], own["avatars"]) == (1, 1)
    assert (await owner.client.get(before["avatar_url"])).status == 404
    shown = (await owner.client.get(f"/v1/users/{member.id}")).json()
    assert before["email"] not in str(shown)
    assert (shown["name"], shown["avatar_url"]) == ("[erased]", None)


async def test_an_organization_is_erased_by_its_owner_auth_last(
    auth: Harness, people: People, owner: Person, fleet: Fleet
) -> None:
    slug = (await owner.client.get("/v1/organization")).json()["slug"]
    admin = await people.member(owner, "admin")
    assert (await owner.client.put("/v1/me/avatar", body=png(200, 30, 30))).status == 200
    assert (await admin.client.post("/v1/erasures", {"organization_slug": slug})).status == 403
    assert (await owner.client.post("/v1/erasures", {"organization_slug": "another"})).status == 422

    begun = await _begin(owner, {"organization_slug": slug})
    request = await fleet.asked(ErasureRequested)
    assert (request.kind, request.services) == ("organization", sorted(OTHERS))
    await fleet.erased(request, *OTHERS)

    link = urlsplit(begun["report_link"]["url"])

    async def reported() -> bool:
        return (await auth.anonymous().get(f"{link.path}?{link.query}")).status == 200

    await eventually(reported, what="the report, also for whom nobody knows any more")
    async with auth.app.db.transaction(owner.org) as tx:
        assert await tx.fetchval("SELECT count(*) FROM users") == 0
        assert await tx.fetchval("SELECT count(*) FROM avatars") == 0
        assert await tx.fetchval("SELECT count(*) FROM organizations") == 0
        assert await tx.fetchval("SELECT count(*) FROM privacy_requests") == 1


async def test_an_export_is_packed_into_one_archive(auth: Harness, owner: Person, fleet: Fleet) -> None:
    contact = new_id()
    begun = await _begin(owner, {"contact_id": str(contact)}, "exports")
    wish = await fleet.asked(ContactResolveRequested)
    await fleet.answer(ContactResolved(request_id=wish.request_id, contact_ids=[contact], identity_ids=[]))
    request = await fleet.asked(ExportRequested)
    early = await owner.client.post(f"/v1/exports/{begun['id']}/link")
    assert early.status == 409
    files = Files.open(auth.app.settings.files_url, auth.app.keyring)
    for service in OTHERS:
        line = msgspec.json.encode({"table": "things", "row": {"of": service}}) + b"\n"
        path = f"{owner.org}/exports/{begun['id']}/{service}.jsonl"
        async with files.writing(path) as sink:
            await sink.write(line)
        digest = hashlib.sha256(line).hexdigest()
        await fleet.answer(
            ExportCompleted(
                request_id=request.request_id,
                service=service,
                path=path,
                things=1,
                size=len(line),
                sha256=digest,
            )
        )

    await fleet.until(f"/v1/exports/{begun['id']}", "done")
    made = await owner.client.post(f"/v1/exports/{begun['id']}/link")
    link = urlsplit(made.json()["url"])
    fetched = await auth.anonymous().get(f"{link.path}?{link.query}")
    assert fetched.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(fetched.body)) as archive:
        names = set(archive.namelist())
        assert {f"{service}.jsonl" for service in FLEET} | {"manifest.json"} == names
        assert msgspec.json.decode(archive.read("crm.jsonl")) == {"table": "things", "row": {"of": "crm"}}
        manifest = msgspec.json.decode(archive.read("manifest.json"))
        assert [part["things"] for part in manifest["parts"] if part["service"] == "crm"] == [1]

    await auth.app.db.execute(
        "UPDATE jobs SET due_at = now() WHERE kind = 'privacy_archive' AND key = $1", f"remove:{begun['id']}"
    )
    await fleet.until(f"/v1/exports/{begun['id']}", "expired")
    assert (await auth.anonymous().get(f"{link.path}?{link.query}")).status == 404


async def test_only_administrators_have_people_erased(people: People, owner: Person) -> None:
    member = await people.member(owner, "team_owner")
    for what in ("erasures", "exports"):
        assert (await member.client.post(f"/v1/{what}", {"user_id": str(owner.id)})).status == 403
        assert (await member.client.get(f"/v1/{what}")).status == 403
    assert (await owner.client.post("/v1/erasures", {})).status == 422
    both = {"user_id": str(owner.id), "contact_id": str(new_id())}
    assert (await owner.client.post("/v1/erasures", both)).status == 422

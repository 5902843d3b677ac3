"""Crm forgets people: who they are is told, what it knows goes, and what comes late does not bring it back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flotilla.bus import parked
from flotilla.bus.envelope import decode, encode, receive
from flotilla.bus.inbox import ForgottenEventError
from flotilla.cause import Cause
from flotilla.events.base import contract_of
from flotilla.events.crm import ContactCreated, ContactDeleted
from flotilla.events.integrations import SenderProfile
from flotilla.events.messaging import MessageReceived
from flotilla.events.privacy import (
    ContactResolved,
    ContactResolveFailed,
    ContactResolveRequested,
    ErasureCompleted,
    ErasureFailed,
    ErasureRequested,
    ExportCompleted,
    ExportFailed,
    ExportRequested,
)
from flotilla.ids import new_id
from flotilla.service import load
from flotilla.store.files import Files
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService

NAME = "Wilhelmina Quirrelby"


def _wish(type_: type[Any], contacts: list[UUID], identities: list[UUID], **more: Any) -> Any:
    return type_(
        **{
            "request_id": new_id(),
            "kind": "person",
            "contact_ids": contacts,
            "identity_ids": identities,
            "user_ids": [],
            "services": ["crm"],
            "attempt": 1,
            "asked_at": datetime.now(UTC),
            **more,
        }
    )


async def _asked(crm: Harness, wish: Any, org: UUID) -> None:
    await crm.publish(wish, org=org, sequence=wish.attempt, cause=Cause.fresh())


async def _contact(crm: Harness, org: UUID, **fields: Any) -> UUID:
    made = await crm.client(org).post("/v1/contacts", {"name": NAME, **fields})
    assert made.status == 201, made.body
    return UUID(made.json()["id"])


async def test_a_contact_is_resolved_with_those_it_was_merged_with(crm: Harness, org: UUID) -> None:
    one, other, third = [await _contact(crm, org) for _ in range(3)]
    client = crm.client(org)
    assert (await client.post(f"/v1/contacts/{other}/merges", {"contact_id": str(third)})).status < 300
    assert (await client.post(f"/v1/contacts/{one}/merges", {"contact_id": str(other)})).status < 300

    for asked in (one, third):
        wish = ContactResolveRequested(request_id=new_id(), contact_id=asked)
        await crm.publish(wish, org=org, sequence=1)
        known = await crm.spy.expect(ContactResolved, lambda event: event.data.request_id == wish.request_id)  # noqa: B023
        assert set(known.data.contact_ids) == {one, other, third}
        assert known.envelope.requestid is not None

    wish = ContactResolveRequested(request_id=new_id(), contact_id=new_id())
    await crm.publish(wish, org=org, sequence=1)
    unknown = await crm.spy.expect(
        ContactResolveFailed, lambda event: event.data.request_id == wish.request_id
    )
    assert unknown.data.reason == "unknown_contact"


async def test_what_is_known_goes_and_is_counted_once(crm: Harness, org: UUID) -> None:
    contact = await _contact(crm, org, email="w@example.org")
    client = crm.client(org)
    task = await client.post("/v1/tasks", {"title": f"Call {NAME}", "contact_id": str(contact)})
    await client.post("/v1/notes", {"text": f"{NAME} likes tea", "contact_id": str(contact)})

    wish = _wish(ErasureRequested, [contact], [])
    await _asked(crm, wish, org)

    done = await crm.spy.expect(ErasureCompleted, lambda event: event.data.request_id == wish.request_id)
    assert (done.data.erased["contacts"], done.data.erased["notes"], done.data.erased["tasks"]) == (1, 1, 1)
    assert done.data.service == "crm"
    await crm.spy.expect(ContactDeleted, lambda event: event.data.contact_id == contact)
    assert (await client.get(f"/v1/contacts/{contact}")).status == 410
    assert (await client.get(f"/v1/tasks/{task.json()['id']}")).json()["title"] == "[erased]"

    await _asked(crm, _wish(ErasureRequested, [contact], [], request_id=wish.request_id, attempt=2), org)

    async def told_again() -> bool:
        return len(crm.spy.of(ErasureCompleted, org)) == 2

    await eventually(told_again)
    first, second = crm.spy.of(ErasureCompleted, org)
    assert first.id == second.id, "the same answer, not another"


async def test_a_message_that_comes_late_brings_nobody_back_and_a_new_one_does(
    crm: Harness, org: UUID
) -> None:
    identity = new_id()
    before = datetime.now(UTC)
    await _asked(crm, _wish(ErasureRequested, [], [identity], asked_at=datetime(2999, 1, 1, tzinfo=UTC)), org)
    await crm.spy.expect(ErasureCompleted, lambda event: event.org == org)
    late, other = _message(identity, before), _message(new_id(), before)
    await crm.publish(late, org=org, sequence=1)
    await crm.publish(other, org=org, sequence=1)
    created = await crm.spy.expect(ContactCreated, lambda event: event.org == org)
    assert created.data.name == NAME, "of the other one, for whom nothing was asked"
    listed = (await crm.client(org).get("/v1/contacts")).json()["items"]
    assert len(listed) == 1

    another = new_id()
    await _asked(crm, _wish(ErasureRequested, [], [another], asked_at=datetime(2020, 1, 1, tzinfo=UTC)), org)

    async def both() -> bool:
        return len(crm.spy.of(ErasureCompleted, org)) == 2

    await eventually(both)
    await crm.publish(_message(another, before), org=org, sequence=1)

    async def known() -> bool:
        return len((await crm.client(org).get("/v1/contacts")).json()["items"]) == 2

    await eventually(known, what="what they say after their request is news")


async def test_what_is_known_is_written_down(crm: Harness, org: UUID) -> None:
    contact, other = await _contact(crm, org), await _contact(crm, org, email="other@example.org")
    await crm.client(org).post("/v1/notes", {"text": "Likes tea", "contact_id": str(contact)})
    wish = _wish(ExportRequested, [contact], [])
    await _asked(crm, wish, org)

    done = await crm.spy.expect(ExportCompleted, lambda event: event.data.request_id == wish.request_id)
    files = Files.open(crm.app.settings.files_url, crm.app.keyring)
    written = b"".join([piece async for piece in files.read(done.data.path)]).decode()
    assert len(written) == done.data.size
    assert NAME in written
    assert "Likes tea" in written
    assert str(other) not in written
    assert done.data.things == len(written.splitlines())


async def test_an_organization_is_erased_as_a_whole_and_no_other(crm: Harness, org: UUID) -> None:
    theirs = new_id()
    contact, kept = await _contact(crm, org), await _contact(crm, theirs)
    await crm.client(org).post("/v1/notes", {"text": "Likes tea", "contact_id": str(contact)})
    await _asked(crm, _wish(ErasureRequested, [], [], kind="organization"), org)

    done = await crm.spy.expect(ErasureCompleted, lambda event: event.org == org)
    assert (done.data.erased["contacts"], done.data.erased["notes"]) == (1, 1)
    assert (await crm.client(org).get("/v1/contacts")).json()["items"] == []
    assert (await crm.client(theirs).get(f"/v1/contacts/{kept}")).status == 200


async def test_the_buss_own_tables_say_nothing_of_them_either(crm: Harness, org: UUID) -> None:
    contact, other = await _contact(crm, org), await _contact(crm, org)
    for each in (contact, other):
        wanted = {"text": f"{NAME} likes tea", "contact_id": str(each)}
        await crm.client(org).post("/v1/notes", wanted, headers={"Idempotency-Key": str(each)})
        event = _event(MessageReceived, _message(new_id(), datetime.now(UTC), contact_id=each), org)
        await parked.park(crm.app.db, "people", "meet_senders", event, ForgottenEventError("too old"))

    await _asked(crm, _wish(ErasureRequested, [contact], []), org)

    done = await crm.spy.expect(ErasureCompleted, lambda event: event.org == org)
    assert (done.data.erased["parked_events"], done.data.erased["idempotency_keys"]) == (1, 1)
    rows = await crm.app.db.fetch("SELECT body FROM parked_events WHERE organization_id = $1", org)
    assert sorted(NAME.encode() in row["body"] for row in rows) == [False, True]
    rows = await crm.app.db.fetch("SELECT key, body FROM idempotency_keys WHERE scope LIKE $1", f"{org}:%")
    assert {row["key"]: row["body"] == b"{}" for row in rows} == {str(contact): True, str(other): False}


async def test_who_is_not_asked_does_nothing(crm: Harness, org: UUID) -> None:
    contact = await _contact(crm, org)
    await _asked(crm, _wish(ErasureRequested, [contact], [], services=["kyb"]), org)
    await _asked(crm, _wish(ErasureRequested, [new_id()], []), org)
    await crm.spy.expect(ErasureCompleted, lambda event: event.org == org)
    assert (await crm.client(org).get(f"/v1/contacts/{contact}")).status == 200


def _event(type_: type[Any], data: Any, org: UUID) -> Any:
    body = encode(data, org=org, sequence=1, cause=Cause.fresh(), region="eu").body
    return receive(decode(body), contract_of(type_))


def _message(identity: UUID, sent_at: datetime, contact_id: UUID | None = None) -> MessageReceived:
    return MessageReceived(
        message_id=new_id(),
        conversation_id=new_id(),
        position=1,
        account_id=new_id(),
        channel="telegram",
        identity_id=identity,
        contact_id=contact_id,
        assignee_id=None,
        sender=SenderProfile(address="4711", name=NAME),
        text="Hello",
        sent_at=sent_at,
        ai_enabled=True,
        first=True,
    )


class _BrokenError(Exception):
    """What a store of ours may say."""


async def _breaks(*_: object) -> dict[str, int]:
    raise _BrokenError(NAME)


async def _breaks_in_the_middle(*_: object) -> AsyncIterator[tuple[str, list[Any]]]:
    yield "pages", []
    raise _BrokenError(NAME)


async def test_what_does_not_work_is_told_without_the_values_it_did_not_work_with(
    start_service: StartService, org: UUID
) -> None:
    whole = load("crm")
    assert whole.privacy is not None
    privacy = replace(whole.privacy, outside=_breaks, documents=_breaks_in_the_middle)
    async with start_service(replace(whole, privacy=privacy), erasure_settle_seconds=0) as broken:
        contact = await _contact(broken, org)
        erasure = _wish(ErasureRequested, [contact], [])
        export = _wish(ExportRequested, [contact], [])
        for wish in (erasure, export):
            await _asked(broken, wish, org)

        async def told() -> bool:
            await broken.app.db.execute("UPDATE jobs SET due_at = now() WHERE leased_until IS NULL")
            broken.app.jobs_wake.set()
            return bool(broken.spy.of(ErasureFailed, org) and broken.spy.of(ExportFailed, org))

        await eventually(told, seconds=40, what="both have failed")
        for facts, wish in ((ErasureFailed, erasure), (ExportFailed, export)):
            (fact,) = broken.spy.of(facts, org)
            told_of: Any = fact.data
            assert (told_of.request_id, told_of.service) == (wish.request_id, "crm")
            assert told_of.reason == "_BrokenError"

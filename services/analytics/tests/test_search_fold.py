"""What is archived is found, what is erased is not, whichever came first."""

from uuid import UUID

import pytest
from flotilla.app import App
from flotilla.events import crm
from flotilla.ids import new_id
from flotilla_analytics.domain.documents import Document, Kind
from flotilla_analytics.erasure import erase_person
from flotilla_analytics.store import ledger
from flotilla_analytics.workers.sealer import seal_next
from flotilla_analytics.workers.search import fold_next

from services.analytics.tests.conftest import Archive, Events


async def fold(app: App, limit: int = 500) -> None:
    """Seal and fold what is there."""
    while await seal_next(app.db):
        pass
    while await fold_next(app, app.own.search, limit):
        pass


async def found(app: App, org: UUID, query: str) -> set[UUID]:
    """Ids of what is found."""
    return {hit.id for hit in await app.own.search.search(org, query, list(Kind), 50)}


async def test_contacts_companies_and_messages_are_found(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    contact, company = events.contact(name="Grace Hopper"), events.company(name="Univac")
    message, reply = (
        events.received(text="the compiler failed"),
        events.send_requested(text="try the new compiler"),
    )
    await archive(app, [events.raw(data, org) for data in (contact, company, message, reply)])
    await fold(app)
    assert await found(app, org, "hopper") == {contact.contact_id}
    assert await found(app, org, "univac") == {company.company_id}
    assert await found(app, org, "compiler") == {message.message_id, reply.message_id}
    assert await found(app, org, "lovelace") == {message.message_id}, "by the sender's name"


async def test_the_newest_state_is_found_whatever_the_order(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    contact_id = new_id()
    old = events.contact(contact_id=contact_id, name="Grace Murray")
    new = events.contact(crm.ContactUpdated, contact_id=contact_id, name="Grace Hopper")
    await archive(app, [events.raw(new, org, sequence=2)])
    await fold(app)
    await archive(app, [events.raw(old, org, sequence=1)])
    await fold(app)
    assert await found(app, org, "hopper") == {contact_id}
    assert await found(app, org, "murray") == set()


async def test_a_contact_that_is_no_more_is_not_found_whatever_comes_late(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    merged, deleted = events.contact(name="Grace Murray"), events.contact(name="Grace Hopper")
    gone = [
        crm.ContactMerged(
            contact_id=merged.contact_id, into_contact_id=new_id(), merge_id=new_id(), identity_ids=[]
        ),
        crm.ContactDeleted(contact_id=deleted.contact_id, identity_ids=[]),
    ]
    await archive(app, [events.raw(data, org, sequence=1) for data in (merged, deleted)])
    await fold(app)
    assert await found(app, org, "grace") == {merged.contact_id, deleted.contact_id}
    await archive(app, [events.raw(data, org, sequence=3) for data in gone])
    late = events.contact(crm.ContactUpdated, contact_id=deleted.contact_id, name="Grace Hopper")
    await archive(app, [events.raw(late, org, sequence=2)])
    await fold(app)
    assert await found(app, org, "grace") == set()


async def test_an_erased_person_is_not_found(app: App, org: UUID, events: Events, archive: Archive) -> None:
    identity, contact = new_id(), new_id()
    mine = [
        events.received(identity_id=identity),
        events.identified(identity, contact),
        events.contact(contact_id=contact),
    ]
    other = events.received(text="Where is my parcel?")
    await archive(app, [events.raw(data, org) for data in (*mine, other)])
    await fold(app)
    assert len(await found(app, org, "ada")) == 3
    await erase_person(app, org, f"contact:{contact}")
    assert await found(app, org, "ada") == {other.message_id}


async def test_a_person_erased_while_being_indexed_is_not_found(
    app: App, org: UUID, events: Events, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = events.received()
    await archive(app, [events.raw(message, org)])
    index = app.own.search.index

    async def erase_first(documents: list[Document]) -> None:
        await erase_person(app, org, f"identity:{message.identity_id}")
        await index(documents)

    monkeypatch.setattr(type(app.own.search), "index", lambda _, documents: erase_first(documents))
    await fold(app)
    assert await found(app, org, "parcel") == set()


async def test_an_identity_linked_to_an_erased_contact_is_not_found(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    message, contact = events.received(), new_id()
    await archive(app, [events.raw(message, org)])
    await erase_person(app, org, f"contact:{contact}")
    await fold(app)
    assert await found(app, org, "parcel") == {message.message_id}
    await archive(app, [events.raw(events.identified(message.identity_id, contact), org)])
    await fold(app)
    assert await found(app, org, "parcel") == set()


async def test_a_fold_that_dies_before_its_cursor_moves_is_repeated(
    app: App, org: UUID, events: Events, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [events.received() for _ in range(5)]
    await archive(app, [events.raw(message, org) for message in messages])
    with monkeypatch.context() as patched:

        async def die(*_args: object) -> None:
            raise ConnectionError

        patched.setattr(ledger, "move_cursor", die)
        with pytest.raises(ConnectionError):
            await fold(app)
    await fold(app, 2)
    assert await found(app, org, "parcel") == {message.message_id for message in messages}

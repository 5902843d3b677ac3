"""The document store's guard: writes that may be repeated, and nobody reads another organization's."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.store.documents import Collection, Documents

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
async def bodies(worker: str) -> AsyncIterator[Collection]:
    documents = Documents.open(Instance.load("test").documents_url, f"t_{os.getpid()}_{worker}_common")
    yield documents.collection("bodies")
    await documents.drop()
    await documents.close()


def body(org: UUID, text: str, at: datetime = NOW, id_: UUID | None = None) -> dict[str, object]:
    return {"_id": id_ or new_id(), "organization_id": org, "text": text, "at": at}


async def texts(bodies: Collection, org: UUID, *ids: UUID) -> dict[UUID, str]:
    return {id_: found["text"] for id_, found in (await bodies.find_by_ids(org, ids)).items()}


async def test_written_again_it_stands_as_it_was(bodies: Collection, org: UUID) -> None:
    first, second = new_id(), new_id()
    await bodies.insert_many_once([body(org, "first", id_=first)])
    await bodies.insert_many_once([body(org, "changed", id_=first), body(org, "second", id_=second)])
    await bodies.insert_many_once([])
    assert await texts(bodies, org, first, second, new_id()) == {first: "first", second: "second"}


async def test_but_for_the_field_it_is_swept_by(bodies: Collection, org: UUID) -> None:
    id_, later = new_id(), NOW + timedelta(days=2)
    await bodies.insert_many_once([body(org, "first", id_=id_)])
    await bodies.insert_many_once([body(org, "changed", later, id_)], touch="at")
    found = (await bodies.find_by_ids(org, [id_]))[id_]
    assert (found["text"], found["at"]) == ("first", later)
    assert await bodies.delete_before(org, [id_], "at", NOW + timedelta(days=1)) == 0


async def test_no_look_up_goes_through_everybodys(bodies: Collection, org: UUID) -> None:
    """An organization's are found by an index, also where a server uses no other one than that."""
    await bodies.insert_many_once([body(org, "first")])
    indexes = await bodies._collection.index_information()
    assert [("organization_id", 1), ("_id", 1)] in [index["key"] for index in indexes.values()]


async def test_anothers_are_not_found_changed_or_removed(bodies: Collection, org: UUID) -> None:
    id_, stranger = new_id(), new_id()
    await bodies.insert_many_once([body(org, "ours", id_=id_)])
    assert await texts(bodies, stranger, id_) == {}
    await bodies.update_one(stranger, id_, {"$set": {"text": "theirs"}})
    assert await bodies.delete_by_ids(stranger, [id_]) == 0
    assert await texts(bodies, org, id_) == {id_: "ours"}
    assert await bodies.delete_by_ids(org, [id_]) == 1

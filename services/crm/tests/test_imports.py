"""Imports: uploaded in parts, tried, run in chunks, killed and gone on with. Real broker, real database."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.crm import ContactCreated, ContactUpdated, ImportFinished, ImportProgressed
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.service import load
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import running
from flotilla.testing.isolation import isolated
from flotilla.testing.ports import free_port

Json = dict[str, Any]
SMALL = (
    "name,email,phone,tags\n"
    "Zoë Groß,Zoe@Example.com,,vip\n"
    "Bo,bo@example.com,030 1,\n"
    ",,,lost\n"
    "Ann,,+49 30 901820,\n"
    'Zoë,zoe@example.com,+49 30 901821,"berlin;vip"\n'
)


async def _uploaded(crm: Harness, org: UUID, data: bytes, part: int = 1 << 20) -> str:
    client = crm.client(org)
    made = await client.post("/v1/imports", {"name": "customers.csv"})
    assert made.status == 201, made.body
    path = f"/v1/imports/{made.json()['id']}"
    for number, at in enumerate(range(0, len(data), part), 1):
        answer = await client.put(f"{path}/parts?number={number}", body=data[at : at + part])
        assert answer.status == 200, answer.body
    return path


async def _ended(crm: Harness, org: UUID, path: str, *, seconds: float = 30) -> Json:
    async def over() -> Json | None:
        found: Json = (await crm.client(org).get(path)).json()
        return found if found["state"] not in ("uploading", "running") else None

    found = await eventually(over, seconds=seconds, what="the import is over")
    assert found is not None
    return found


async def _run(crm: Harness, org: UUID, path: str, **body: Any) -> Json:
    answer = await crm.client(org).post(f"{path}/runs", body)
    assert answer.status == 202, answer.body
    return await _ended(crm, org, path)


def _tally(found: Json) -> tuple[str, int, int, int, int]:
    return found["state"], found["rows_read"], found["created"], found["updated"], found["failed"]


async def test_a_file_is_tried_and_then_written(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    there = (await client.post("/v1/contacts", {"email": "bo@example.com"})).json()["id"]
    path = await _uploaded(crm, org, SMALL.replace("030 1", "").encode(), part=40)
    proposal = (await client.get(f"{path}/proposal")).json()
    assert proposal["columns"] == ["name", "email", "phone", "tags"]
    assert (proposal["encoding"], proposal["delimiter"], proposal["header"]) == ("utf-8", ",", True)

    tried = await _run(crm, org, path)
    assert _tally(tried) == ("checked", 5, 2, 1, 1)
    assert len((await client.get("/v1/contacts")).json()["items"]) == 1, "nothing is written"
    errors = (await client.get(f"{path}/errors")).json()["items"]
    assert [(each["row"], each["field"]) for each in errors] == [(4, None)]

    assert _tally(await _run(crm, org, path, dry_run=False)) == ("done", 5, 2, 1, 1)
    found = {each["name"]: each for each in (await client.get("/v1/contacts")).json()["items"]}
    assert set(found) == {"Zoë Groß", "Ann", "Bo"}
    zoe = found["Zoë Groß"]
    assert (zoe["email"], zoe["phone"], zoe["tags"]) == ("zoe@example.com", "+4930901821", ["berlin", "vip"])
    assert (zoe["source"], found["Bo"]["id"]) == ("import", there)
    told = await crm.spy.expect(ContactUpdated, lambda event: event.org == org)
    assert (told.data.changed, told.sequence) == ({"name": [None, "Bo"]}, 2)
    finished = await crm.spy.expect(
        ImportFinished, lambda event: event.org == org and event.data.state == "done"
    )
    assert (finished.data.created, finished.data.dry_run, finished.data.reason) == (2, False, None)
    assert str(finished.envelope.audience).startswith("user:")
    timeline = (await client.get(f"/v1/contacts/{zoe['id']}/timeline")).json()["items"]
    assert [each["kind"] for each in timeline] == ["contact.created"]
    again = await client.post(f"{path}/runs", {"dry_run": False})
    assert again.status == 409


async def test_a_contact_that_is_there_can_be_left_as_it_is(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    contact = (await client.post("/v1/contacts", {"email": "bo@example.com"})).json()
    path = await _uploaded(crm, org, b"name,email\nBo,bo@example.com\n")
    assert _tally(await _run(crm, org, path, dry_run=False, on_match="skip")) == ("done", 1, 0, 0, 0)
    assert (await client.get(f"/v1/contacts/{contact['id']}")).json()["name"] is None


async def test_a_part_can_be_repeated_with_its_key(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    path = (await client.post("/v1/imports", {"name": "x"})).headers["Location"]
    key = {"Idempotency-Key": "part-1"}
    first = await client.put(f"{path}/parts?number=1", body=b"name\nBo\n", headers=key)
    again = await client.put(f"{path}/parts?number=1", body=b"name\nBo\n", headers=key)
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    other = await client.put(f"{path}/parts?number=1", body=b"name\nAnn\n", headers=key)
    assert other.status == 422


async def test_a_row_that_two_contacts_fit_is_said(crm: Harness, org: UUID) -> None:
    for name in ("A", "B"):
        await crm.client(org).post("/v1/contacts", {"name": name, "email": "family@example.com"})
    path = await _uploaded(crm, org, b"name,email\nC,family@example.com\n")
    assert _tally(await _run(crm, org, path, dry_run=False)) == ("done", 1, 0, 0, 1)


async def test_a_file_that_cannot_be_read_on_fails_with_the_reason(crm: Harness, org: UUID) -> None:
    data = b'name,email\nAnn,ann@example.com\nBo,"bo@example.com\n' + b"x" * 200_000
    path = await _uploaded(crm, org, data)
    body = {"dry_run": False, "columns": ["name", "email"], "header": True, "delimiter": ","}
    found = await _run(crm, org, path, **body)
    assert found["state"] == "failed"
    assert "quote" in found["reason"]
    await crm.spy.expect(
        ImportFinished, lambda event: event.org == org and "quote" in (event.data.reason or "")
    )


async def test_what_cannot_be_imported(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    path = await _uploaded(crm, org, b"name,email\nAnn,a@example.com\n")
    for body in (
        {"columns": [None, None]},
        {"columns": ["name", "name"]},
        {"columns": ["password"]},
        {"encoding": "rot13"},
        {"delimiter": "x"},
    ):
        assert (await client.post(f"{path}/runs", body)).status == 422, body
    assert (await client.put(f"{path}/parts?number=2", body=b"x" * ((1 << 20) + 1))).status == 413
    assert (await client.put(f"{path}/parts?number=513", body=b"x")).status == 422
    assert (await client.put(f"{path}/parts?number=2", body=b"")).status == 422
    assert (await client.put(f"{path}/parts?number=3", body=b"x")).status == 200
    missing = await client.post(f"{path}/runs", {})
    assert (missing.status, "Parts are missing" in missing.json()["detail"]) == (409, True)
    empty = (await client.post("/v1/imports", {"name": "x"})).json()["id"]
    assert (await client.post(f"/v1/imports/{empty}/runs", {})).status == 409
    stranger = crm.client(new_id())
    assert (await stranger.put(f"{path}/parts?number=1", body=b"x")).status == 404
    assert (await stranger.delete(path)).status == 404
    assert (await client.delete(path)).status == 204
    assert (await client.get(path)).status == 404


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    """Of this test alone: a process dies on them."""
    async with isolated(load("crm"), worker) as instance:
        yield instance


async def test_an_import_whose_process_is_killed_goes_on_and_writes_nothing_twice(
    stores: Instance, org: UUID
) -> None:
    """2,100 rows are three chunks: the process dies with the second read and not written."""
    rows = "".join(f"Person {n},person{n}@example.com\n" for n in range(2100))
    async with running(load("crm"), instance=stores, lanes_paused=True) as idle:
        path = await _uploaded(idle, org, ("name,email\n" + rows).encode(), part=50_000)
        assert (await idle.client(org).post(f"{path}/runs", {"dry_run": False})).status == 202
        victim = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "flotilla.testing.child", "flotilla_crm.service", "performed", "1"),
            env={**stores.environment("crm"), "FLOTILLA_HTTP_PORT": str(free_port())},
            cwd=stores.root,
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(90):
            assert await victim.wait() == -signal.SIGKILL
        halfway = (await idle.client(org).get(path)).json()
        assert _tally(halfway) == ("running", 999, 999, 0, 0)
        await idle.app.db.execute("UPDATE jobs SET leased_until = now() WHERE kind = 'import_rows'")
    async with running(load("crm"), instance=stores) as second:
        assert _tally(await _ended(second, org, path, seconds=90)) == ("done", 2100, 2100, 0, 0)
        async with second.app.db.transaction(org) as tx:
            assert await tx.fetchval("SELECT count(*) FROM contacts") == 2100
            assert await tx.fetchval("SELECT count(DISTINCT email) FROM contacts") == 2100
            assert await tx.fetchval("SELECT count(*) FROM import_parts") == 0

        async def told() -> bool:
            return bool(await second.app.db.fetchval("SELECT count(*) FROM outbox") == 0)

        await eventually(told, seconds=90, what="every event is published")
        progressed = sorted(
            {event.id: event.data.rows_read for event in second.spy.of(ImportProgressed, org)}.values()
        )
        assert progressed[-2:] == [1999, 2100]
        created = {event.data.contact_id for event in second.spy.of(ContactCreated, org)}
        assert len(created) >= 1101

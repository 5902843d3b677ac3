"""The archive keeps every event once, with what is personal sealed, whatever comes."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from flotilla.app import App
from flotilla.bus.declare import RawEvent
from flotilla.bus.envelope import decode
from flotilla.events import crm
from flotilla.events.base import CONTRACTS
from flotilla.ids import derived_id, new_id
from flotilla.store.postgres import Row
from flotilla_analytics.archiving import open_events
from flotilla_analytics.erasure import erase_person
from flotilla_analytics.store.archive import Filter, read_page

from services.analytics.tests.conftest import Archive, Events, Superuser


async def read(app: App, org: UUID) -> list[Row]:
    """The archived rows of an organization, newest first."""
    async with app.db.transaction(org) as tx:
        return await read_page(tx, org, Filter(), None, 1000)


async def read_open(app: App, org: UUID) -> dict[UUID, dict[str, Any]]:
    """Their data, by event id."""
    rows = await read(app, org)
    async with app.db.transaction(org) as tx:
        return dict(zip([row["id"] for row in rows], await open_events(tx, app.keyring, rows), strict=True))


async def test_what_is_personal_is_sealed_and_can_be_opened(
    app: App, org: UUID, events: Events, archive: Archive, superuser: Superuser
) -> None:
    data = events.contact(
        crm.ContactUpdated,
        name="Grace Hopper",
        email="grace@example.org",
        changed={"name": ["Grace Murray", "Grace Hopper"], "tags": [[], ["vip"]]},
    )
    event = events.raw(data, org)
    await archive(app, [event])

    async with superuser(app) as admin:
        stored = await admin.fetchval("SELECT archive::text FROM archive WHERE id = $1", event.envelope.id)
        plain = await admin.fetchval("SELECT data FROM archive WHERE id = $1", event.envelope.id)
        sealed = await admin.fetchval("SELECT sealed FROM archive WHERE id = $1", event.envelope.id)
    for secret in ("Grace", "Murray", "grace@example.org"):
        assert secret not in stored
        assert secret.encode() not in sealed
    assert '"tags": ["vip"]' in plain
    opened = (await read_open(app, org))[event.envelope.id]
    assert opened["name"] == "Grace Hopper"
    assert opened["email"] == "grace@example.org"
    assert opened["changed"] == {"name": ["Grace Murray", "Grace Hopper"], "tags": [[], ["vip"]]}


async def test_redelivered_and_disordered_batches_leave_each_event_once(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    stream = [events.raw(events.received(), org) for _ in range(40)]
    shuffled = random.Random(1)
    for _ in range(4):
        batch = shuffled.sample(stream, 25)
        await archive(app, batch + batch[:3])
    await archive(app, stream)
    assert sorted(row["id"] for row in await read(app, org)) == sorted(event.envelope.id for event in stream)


async def test_two_replicas_with_the_same_events_do_not_lock_each_other(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    people = [new_id() for _ in range(5)]
    stream = [events.raw(events.received(identity_id=people[n % 5]), org) for n in range(200)]
    backwards = list(reversed(stream))
    await asyncio.gather(*(archive(app, batch) for batch in (stream, backwards, stream, backwards)))
    assert len(await read(app, org)) == 200
    assert all(data["text"] == "Where is my parcel?" for data in (await read_open(app, org)).values())


async def test_erasing_a_contact_destroys_what_was_sealed_before_it_was_known(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    identity, contact, other = new_id(), new_id(), new_id()
    before = events.raw(events.received(identity_id=identity), org)
    stranger = events.raw(events.received(identity_id=other), org)
    linked = events.raw(events.identified(identity, contact), org)
    after = events.raw(events.received(identity_id=identity, contact_id=contact), org)
    await archive(app, [before, stranger])
    await archive(app, [linked, after])

    assert set(await erase_person(app, org, f"identity:{identity}")) == {
        f"contact:{contact}",
        f"identity:{identity}",
    }
    late = events.raw(events.received(identity_id=identity, text="I am back"), org)
    await archive(app, [late])

    opened = await read_open(app, org)
    for event in (before, after, late):
        assert opened[event.envelope.id]["text"] is None
        assert opened[event.envelope.id]["sender"] is None
    assert opened[stranger.envelope.id]["text"] == "Where is my parcel?"
    assert await erase_person(app, org, f"contact:{contact}")


async def test_an_identity_linked_after_the_erasure_is_erased_too(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    identity, contact = new_id(), new_id()
    message = events.raw(events.received(identity_id=identity), org)
    await archive(app, [message])
    await erase_person(app, org, f"contact:{contact}")
    assert (await read_open(app, org))[message.envelope.id]["text"] is not None
    await archive(app, [events.raw(events.identified(identity, contact), org)])
    assert (await read_open(app, org))[message.envelope.id]["text"] is None


@pytest.mark.parametrize(
    "data",
    [
        b'{"name": "Secret", "contact_id": "0198c0de-0000-7000-8000-000000000001"}',
        b'{"name": "Secret"}',
        b'"Secret"',
        b'{"name": "Secret" "broken"',
        b'{"name": "Secret \\u0000"}',
        b"[" * 2000 + b'"Secret"' + b"]" * 2000,
    ],
)
@pytest.mark.parametrize("type_", ["parcel.lost.v7", "company.created.v1"])
async def test_what_cannot_be_read_is_kept_and_does_not_leak(
    app: App, org: UUID, events: Events, archive: Archive, superuser: Superuser, data: bytes, type_: str
) -> None:
    whole = events.raw(events.company(), org)
    assert whole.body.count(bytes(whole.envelope.data)) == 1
    body = whole.body.replace(bytes(whole.envelope.data), b"@DATA@").replace(
        b"company.created.v1", type_.encode()
    )
    broken = _with_data(body, data)
    await archive(app, [broken])

    async with superuser(app) as admin:
        stored = await admin.fetchval("SELECT archive::text FROM archive WHERE id = $1", broken.envelope.id)
    if type_ == "parcel.lost.v7":
        assert "Secret" not in stored
    assert "Secret" in str((await read_open(app, org))[broken.envelope.id])


def _with_data(body: bytes, data: bytes) -> RawEvent:
    """The envelope with other data, which need not even be JSON."""
    envelope = decode(body.replace(b"@DATA@", b"null"))
    return RawEvent(msgspec.structs.replace(envelope, data=msgspec.Raw(data)), body.replace(b"@DATA@", data))


async def test_a_field_that_a_newer_contract_added_is_sealed(
    app: App, org: UUID, events: Events, archive: Archive, superuser: Superuser
) -> None:
    event = events.raw(events.company(), org)
    grown = bytes(event.envelope.data).replace(b'"name"', b'"founder":"Charles Babbage","name"')
    newer = _with_data(event.body.replace(bytes(event.envelope.data), b"@DATA@"), grown)
    await archive(app, [newer])
    async with superuser(app) as admin:
        stored = await admin.fetchval("SELECT archive::text FROM archive WHERE id = $1", newer.envelope.id)
    assert "Babbage" not in stored
    assert "Analytical Engines" in stored
    assert (await read_open(app, org))[newer.envelope.id]["founder"] == "Charles Babbage"


async def test_ids_of_any_time_find_a_partition(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    times = [datetime(1999, 5, 1, tzinfo=UTC), datetime.now(UTC), datetime(2077, 1, 1, tzinfo=UTC)]
    ids = [derived_id(time, "telegram", str(org)) for time in times]
    await archive(app, [events.raw(events.received(), org, event_id=event_id) for event_id in ids])
    assert sorted(row["id"] for row in await read(app, org)) == ids
    # Safe to repeat, as the runtime role, with rows in the default partition.
    await app.db.execute("SELECT keep_archive_partitions()")


async def test_what_nothing_is_sought_by_is_not_analyzed_in_new_months_either(
    app: App, superuser: Superuser
) -> None:
    sql = """
        SELECT count(DISTINCT attrelid) FROM pg_attribute a JOIN pg_inherits i ON i.inhrelid = a.attrelid
        WHERE i.inhparent = 'archive'::regclass AND a.attname = ANY('{data,sealed}') AND a.attstattarget <> 0"""
    async with superuser(app) as admin:
        last = await admin.fetchval(
            "SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'archive'::regclass"
            " AND inhrelid <> 'archive_default'::regclass"
        )
        await admin.execute(f"DROP TABLE {last}")
        await app.db.execute("SELECT keep_archive_partitions()")
        assert await admin.fetchval("SELECT to_regclass($1) IS NOT NULL", last)
        assert await admin.fetchval(sql) == 0


async def test_nobody_sees_another_organization_even_through_a_partition(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    await archive(app, [events.raw(events.received(), org)])
    stranger = new_id()
    async with app.db.transaction(org) as tx:
        partitions = await tx.fetch("SELECT DISTINCT tableoid::regclass::text AS name FROM archive")
    tables = ["archive", "person_keys", *(row["name"] for row in partitions)]
    async with app.db.transaction(stranger) as tx:
        for table in tables:
            count = f"SELECT count(*) FROM {table} WHERE organization_id = $1"
            assert await tx.fetchval(count, org) == 0, table
    async with app.db.transaction(org) as tx:
        assert await tx.fetchval("SELECT count(*) FROM archive") == 1


@pytest.mark.parametrize("statement", ["UPDATE archive SET actor = 'nobody'", "DELETE FROM archive"])
async def test_the_service_itself_cannot_change_what_is_archived(
    app: App, org: UUID, events: Events, archive: Archive, statement: str
) -> None:
    await archive(app, [events.raw(events.received(), org)])
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        async with app.db.transaction(org) as tx:
            await tx.execute(statement)


def test_no_contract_hides_personal_data_inside_a_field_that_is_not_personal() -> None:
    """Only whole fields of `data` are sealed, so nothing below a field that stands in the clear may be personal."""

    def personal_below(schema: object, definitions: dict[str, object]) -> bool:
        if isinstance(schema, list):
            return any(personal_below(part, definitions) for part in schema)
        if not isinstance(schema, dict):
            return False
        if schema.get("x-personal-data"):
            return True
        if "$ref" in schema:
            return personal_below(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
        return any(personal_below(part, definitions) for part in schema.values())

    for contract in CONTRACTS.values():
        (own,), definitions = msgspec.json.schema_components([contract.data])
        fields = definitions[own["$ref"].rsplit("/", 1)[1]]["properties"]
        hiding = [
            name
            for name, schema in fields.items()
            if name not in contract.personal_fields and personal_below(schema, definitions)
        ]
        assert not hiding, f"{contract.type}: {hiding}"

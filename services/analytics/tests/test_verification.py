"""The verifier says what somebody with all rights on the database has done to the archive."""

import asyncio
import sys

import pytest
from flotilla.app import App
from flotilla.ids import new_id
from flotilla_analytics.erasure import erase_person
from flotilla_analytics.verification import Wrong, verify
from flotilla_analytics.workers.sealer import seal_next
from pydantic import SecretStr

from services.analytics.tests.conftest import Archive, Events, Superuser


@pytest.fixture
async def sealed(fresh: App, events: Events, archive: Archive) -> App:
    """Thirty events of three organizations in six blocks."""
    for _ in range(3):
        org = new_id()
        await archive(fresh, [events.raw(events.received(), org) for _ in range(10)])
    while await seal_next(fresh.db, 5):
        pass
    return fresh


async def found(app: App, noted: tuple[int, bytes] | None = None) -> list[tuple[Wrong, int | None]]:
    """Kind and position of each finding."""
    report = await verify(app.db, noted=noted)
    return [(finding.wrong, finding.position) for finding in report.findings]


async def test_an_untouched_archive_holds(sealed: App) -> None:
    report = await verify(sealed.db)
    assert report.holds
    assert (report.events, report.blocks, report.head) == (30, 6, 30)


async def test_it_holds_after_an_erasure(sealed: App, superuser: Superuser) -> None:
    async with superuser(sealed) as admin:
        row = await admin.fetchrow(
            "SELECT organization_id, person FROM archive WHERE person IS NOT NULL LIMIT 1"
        )
    await erase_person(sealed, row["organization_id"], row["person"])
    assert (await verify(sealed.db)).holds


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'user:somebody'",
        "sealed = sealed || 'x'",
        "sealed = NULL",
        "data = jsonb_set(data, '{channel}', '\"email\"')",
        "time = time + interval '1 microsecond'",
        "person = 'identity:other'",
    ],
)
async def test_a_changed_event(sealed: App, superuser: Superuser, change: str) -> None:
    async with superuser(sealed) as admin:
        await admin.execute(
            f"UPDATE archive SET {change} WHERE id = (SELECT event_id FROM ledger WHERE position = 7)"
        )
    assert await found(sealed) == [(Wrong.CHANGED, 7)]


async def test_a_changed_event_whose_ledger_hash_was_made_to_fit(sealed: App, superuser: Superuser) -> None:
    async with superuser(sealed) as admin:
        await admin.execute(
            "UPDATE archive SET actor = 'x' WHERE id = (SELECT event_id FROM ledger WHERE position = 7);"
            "UPDATE ledger SET hash = archive_hash(a) FROM archive a WHERE position = 7 AND a.id = event_id"
        )
    assert await found(sealed) == [(Wrong.CHANGED, 6)], "the block that holds position 7"


async def test_a_missing_event(sealed: App, superuser: Superuser) -> None:
    async with superuser(sealed) as admin:
        await admin.execute(
            "DELETE FROM archive WHERE id = (SELECT event_id FROM ledger WHERE position = 12)"
        )
    assert await found(sealed) == [(Wrong.MISSING, 12)]


async def test_a_missing_event_and_its_ledger_entry(sealed: App, superuser: Superuser) -> None:
    async with superuser(sealed) as admin:
        await admin.execute(
            "DELETE FROM archive WHERE id = (SELECT event_id FROM ledger WHERE position = 12);"
            "DELETE FROM ledger WHERE position = 12"
        )
    assert await found(sealed) == [(Wrong.MISSING, 12)]


async def test_a_missing_block(sealed: App, superuser: Superuser) -> None:
    async with superuser(sealed) as admin:
        await admin.execute("DELETE FROM blocks WHERE position_from = 11")
    assert await found(sealed) == [(Wrong.MISSING, 11)]


async def test_an_entry_that_says_another_type_than_its_event(sealed: App, superuser: Superuser) -> None:
    async with superuser(sealed) as admin:
        await admin.execute("UPDATE ledger SET event_type = 'deal.won.v1' WHERE position = 12")
    assert await found(sealed) == [(Wrong.CHANGED, 12)]


async def test_an_inserted_event(sealed: App, superuser: Superuser) -> None:
    async with superuser(sealed) as admin:
        await admin.execute(
            "INSERT INTO archive SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid()))).*"
            " FROM archive a LIMIT 1"
        )
    assert await found(sealed) == [(Wrong.INSERTED, None)]


async def test_an_inserted_event_with_a_ledger_entry(sealed: App, superuser: Superuser) -> None:
    async with superuser(sealed) as admin:
        await admin.execute(
            "WITH made AS (INSERT INTO archive"
            " SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid()))).*"
            " FROM archive a LIMIT 1 RETURNING id, organization_id, archive_hash(archive) AS hash)"
            " INSERT INTO ledger SELECT 31, id, organization_id, hash FROM made"
        )
    assert await found(sealed) == [(Wrong.INSERTED, 31)]


@pytest.mark.parametrize("pair", [(7, 9), (4, 28)])
async def test_reordered_events(sealed: App, superuser: Superuser, pair: tuple[int, int]) -> None:
    one, other = pair
    async with superuser(sealed) as admin:
        for before, after in ((one, -1), (other, one), (-1, other)):
            await admin.execute("UPDATE ledger SET position = $2 WHERE position = $1", before, after)
    blocks = sorted({(position - 1) // 5 * 5 + 1 for position in pair})
    assert await found(sealed) == [(Wrong.REORDERED, block) for block in blocks]


async def test_a_chain_made_anew_is_found_by_a_head_noted_before(sealed: App, superuser: Superuser) -> None:
    noted = await verify(sealed.db)
    assert await found(sealed, noted=(noted.head, noted.head_hash)) == []
    async with superuser(sealed) as admin:
        await admin.execute(
            "UPDATE archive SET actor = 'x' WHERE id = (SELECT event_id FROM ledger WHERE position = 30);"
            "INSERT INTO unsealed SELECT event_id, organization_id, archive_hash(a)"
            " FROM ledger JOIN archive a USING (organization_id) WHERE position > 25 AND a.id = event_id;"
            "DELETE FROM ledger WHERE position > 25; DELETE FROM blocks WHERE position_from > 25"
        )
    assert await seal_next(sealed.db)
    assert await found(sealed) == []
    assert await found(sealed, noted=(noted.head, noted.head_hash)) == [(Wrong.CHANGED, 30)]


async def test_a_changed_block(sealed: App, superuser: Superuser) -> None:
    async with superuser(sealed) as admin:
        await admin.execute("UPDATE blocks SET hash = sha256('x') WHERE position_from = 11")
    assert await found(sealed) == [(Wrong.CHANGED, 11), (Wrong.CHANGED, 16)]


async def test_only_what_came_after_a_noted_head_is_read_and_what_was_inserted_is_found_anywhere(
    sealed: App, superuser: Superuser, events: Events, archive: Archive
) -> None:
    head = await verify(sealed.db)
    org = new_id()
    await archive(sealed, [events.raw(events.received(), org) for _ in range(3)])
    assert await seal_next(sealed.db, 5)
    report = await verify(sealed.db, since=(head.head, head.head_hash))
    assert (report.events, report.blocks, report.head, report.findings) == (3, 1, 33, [])
    assert not (await verify(sealed.db, since=(head.head, bytes(32)))).holds, "another chain than was noted"
    async with superuser(sealed) as admin:
        await admin.execute("DELETE FROM ledger WHERE position IN (2, 32)")
    later = await verify(sealed.db, since=(head.head, head.head_hash))
    assert sorted(finding.wrong for finding in later.findings) == [
        Wrong.INSERTED,
        Wrong.INSERTED,
        Wrong.MISSING,
    ]


async def _said(app: App, *arguments: str) -> tuple[int | None, str]:
    """Exit status and output of `flotilla archive verify`'s program."""
    given = app.settings.model_dump(exclude_none=True)
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in given.items()
    }
    told = {f"FLOTILLA_{name.upper()}": str(value) for name, value in plain.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "flotilla_analytics.verify",
        *arguments,
        env=told,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_the_command_says_what_is_wrong_by_its_status_too(sealed: App, superuser: Superuser) -> None:
    status, said = await _said(sealed)
    assert (status, "30 events in 6 blocks" in said) == (0, True)
    head = said.rsplit(maxsplit=1)[1]
    assert (await _said(sealed, head))[0] == 0
    status, said = await _said(sealed, "--since", head)
    assert (status, "0 events in 0 blocks" in said, head in said) == (0, True, True)
    async with superuser(sealed) as admin:
        await admin.execute("DELETE FROM blocks WHERE position_from = 26")
    status, said = await _said(sealed, head)
    assert (status, "the noted head is no longer in the chain (position 30" in said) == (1, True)

"""A download of the audit log proves itself, and whatever is done to it shows, without any server."""

import base64
import hashlib
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flotilla.app import App
from flotilla.cause import Cause
from flotilla.events import crm
from flotilla.ids import new_id
from flotilla_analytics import audit_export
from flotilla_analytics.erasure import erase_person
from flotilla_analytics.export_verification import verify_export
from flotilla_analytics.store.audit_log import Wanted
from flotilla_analytics.verification import Wrong, verify
from flotilla_analytics.workers.sealer import seal_next

from services.analytics.tests.conftest import Archive, Events, Superuser

Lines = list[dict[str, Any]]
Tamper = Callable[[Lines], None]
ACTOR = "user:0198c0de-0000-7000-8000-000000000001"


@pytest.fixture
async def sealed(fresh: App, events: Events, archive: Archive, org: UUID) -> App:
    """Twelve acts of a person in four blocks, between what others did elsewhere."""
    for number in range(12):
        changed = {"name": ["Ada", "Ada L."], "tags": [[], ["vip"]]} if number % 2 else {}
        contact = events.contact(crm.ContactUpdated, changed=changed)
        await archive(
            fresh,
            [
                events.raw(contact, org, cause=Cause.fresh(ACTOR)),
                events.raw(events.received(), new_id()),
            ],
        )
    while await seal_next(fresh.db, 6):
        pass
    return fresh


async def exported(app: App, org: UUID, wanted: Wanted | None = None) -> bytes:
    return b"".join([piece async for piece in audit_export.proven(app, org, wanted or Wanted())])


def verified(file: bytes, **options: Any) -> list[tuple[Wrong, int | None]]:
    reading = verify_export(file.splitlines(keepends=True), **options)
    return [(finding.wrong, finding.position) for finding in reading.findings]


def signed_again(app: App, lines: Lines) -> bytes:
    """As somebody would who can also sign: what is left to show it is the chain."""
    body = b"".join(msgspec.json.encode(line) + b"\n" for line in lines if line["kind"] != "signature")
    signer = audit_export.signer(app)
    signature = base64.b64encode(signer.key.sign(hashlib.sha256(body).digest())).decode()
    last = {"kind": "signature", "key": signer.public, "signature": signature}
    return body + msgspec.json.encode(last) + b"\n"


def read(file: bytes) -> Lines:
    return [msgspec.json.decode(line) for line in file.splitlines()]


def acts(lines: Lines) -> Lines:
    return [line for line in lines if line["kind"] == "event"]


async def test_an_untouched_file_holds_and_has_all_of_it(sealed: App, org: UUID) -> None:
    file = await exported(sealed, org)
    head = await verify(sealed.db)
    key = audit_export.signer(sealed).public
    reading = verify_export(file.splitlines(keepends=True), key=key, noted=(head.head, head.head_hash))
    assert reading.findings == []
    assert (len(reading.acts), len(reading.blocks)) == (12, 4)
    shown = acts(read(file))
    assert {line["shown"]["actor"] for line in shown} == {ACTOR}
    with_changes = [line["shown"]["changes"] for line in shown if line["shown"]["data"]["changed"]]
    assert {"field": "name", "old": "Ada", "new": "Ada L.", "derived": False} in with_changes[0]


async def test_others_are_not_in_it(sealed: App, org: UUID, superuser: Superuser) -> None:
    file = await exported(sealed, org)
    async with superuser(sealed) as admin:
        rows = await admin.fetch("SELECT id, organization_id FROM archive WHERE organization_id <> $1", org)
    assert len(rows) == 12
    for row in rows:
        assert str(row["id"]).encode() not in file
        assert str(row["organization_id"]).encode() not in file


async def test_part_of_it_holds_too_and_so_does_nothing(sealed: App, org: UUID) -> None:
    everything = acts(read(await exported(sealed, org)))
    one = everything[5]["shown"]["subject"]
    some = await exported(sealed, org, Wanted(subject=one))
    assert verified(some) == []
    assert len(acts(read(some))) == 1
    assert verified(await exported(sealed, new_id())) == []


async def test_it_holds_after_an_erasure(sealed: App, org: UUID) -> None:
    contact = acts(read(await exported(sealed, org)))[0]
    await erase_person(sealed, org, f"contact:{contact['shown']['subject']}")
    file = await exported(sealed, org)
    assert verified(file) == []
    assert acts(read(file))[0]["shown"]["data"]["name"] is None


def change(path: tuple[str, ...], value: Any) -> Tamper:
    """Of the fourth act, which says what it changed."""

    def do(lines: Lines) -> None:
        place: Any = acts(lines)[3]
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return do


@pytest.mark.parametrize(
    "tamper",
    [
        change(("shown", "actor"), "user:somebody-else"),
        change(("shown", "time"), "2020-01-01T00:00:00Z"),
        change(("shown", "data", "tags"), ["other"]),
        change(("shown", "data", "name"), "Somebody Else"),
        change(("shown", "outcome"), "failed"),
        change(("shown", "changes"), []),
        lambda lines: acts(lines)[3].update(
            sealed=acts(lines)[3]["sealed"].replace("user:0198", "user:0199")
        ),
    ],
)
async def test_a_changed_act(sealed: App, org: UUID, tamper: Tamper) -> None:
    lines: Lines = read(await exported(sealed, org))
    position = acts(lines)[3]["position"]
    tamper(lines)
    assert set(verified(signed_again(sealed, lines))) == {(Wrong.CHANGED, position)}


@pytest.mark.parametrize("path", [("actor",), ("subject",), ("data", "tags")])
async def test_a_changed_act_whose_line_was_made_to_fit(
    sealed: App, org: UUID, path: tuple[str, ...]
) -> None:
    lines: Lines = read(await exported(sealed, org))
    change(("shown", *path), "other")(lines)
    for block in (line for line in lines if line["kind"] == "block"):
        within = [line for line in acts(lines) if line["position"] in block["own"]]
        hashes = [hashlib.sha256(msgspec.json.encode(line) + b"\n").digest() for line in within]
        block["lines"] = base64.b64encode(b"".join(hashes)).decode()
    position = acts(lines)[3]["position"]
    assert verified(signed_again(sealed, lines)) == [(Wrong.CHANGED, position)]


async def test_missing_acts_and_blocks(sealed: App, org: UUID) -> None:
    lines: Lines = read(await exported(sealed, org))
    act = acts(lines)[4]
    without = [line for line in lines if line is not act]
    found = verified(signed_again(sealed, without))
    assert found == [(Wrong.MISSING, act["position"]), (Wrong.MISSING, None)]

    block = [line for line in lines if line["kind"] == "block"][1]
    gone = [line for line in lines if line is not block and line.get("position") not in block["own"]]
    assert verified(signed_again(sealed, gone)) == [
        (Wrong.MISSING, block["position_from"]),
        (Wrong.MISSING, None),
        (Wrong.MISSING, None),
    ], "no block covers them, and fewer acts and blocks than there were"


async def test_an_act_that_is_left_out_everywhere(sealed: App, org: UUID) -> None:
    """Its entry may be anybody's in the block: the signature alone shows it."""
    file = await exported(sealed, org)
    lines: Lines = read(file)
    act = acts(lines)[4]
    block = next(line for line in lines if line["kind"] == "block" and act["position"] in line["own"])
    place = block["own"].index(act["position"])
    block["own"].remove(act["position"])
    raw = base64.b64decode(block["lines"])
    block["lines"] = base64.b64encode(raw[: place * 32] + raw[(place + 1) * 32 :]).decode()
    lines[-2]["events"] -= 1
    kept = [msgspec.json.encode(line) + b"\n" for line in lines if line is not act]
    assert verified(b"".join(kept)) == [(Wrong.CHANGED, None)]


async def test_an_inserted_act(sealed: App, org: UUID) -> None:
    lines: Lines = read(await exported(sealed, org))
    act = acts(lines)[1]
    forged = deepcopy(act)
    forged["sealed"] = act["sealed"].replace(act["shown"]["id"], str(new_id()))
    forged["position"] = act["position"] + 1
    lines.insert(lines.index(act) + 1, forged)
    assert (Wrong.INSERTED, forged["position"]) in verified(signed_again(sealed, lines))


async def test_reordered_acts(sealed: App, org: UUID) -> None:
    lines: Lines = read(await exported(sealed, org))
    one, other = acts(lines)[1], acts(lines)[7]
    one["position"], other["position"] = other["position"], one["position"]
    found = verified(signed_again(sealed, lines))
    assert {(Wrong.REORDERED, one["position"]), (Wrong.REORDERED, other["position"])} <= set(found)
    assert {wrong for wrong, _ in found} == {Wrong.REORDERED}


async def test_a_forged_block(sealed: App, org: UUID) -> None:
    file = await exported(sealed, org)
    lines: Lines = read(file)
    block = [line for line in lines if line["kind"] == "block"][1]
    raw = base64.b64decode(block["digests"])
    block["digests"] = base64.b64encode(raw[32:64] + raw[:32] + raw[64:]).decode()
    assert (Wrong.REORDERED, block["position_from"]) in verified(signed_again(sealed, lines))
    block["hash"] = "00" * 32
    found = verified(signed_again(sealed, lines))
    assert (Wrong.CHANGED, block["position_to"] + 1) in found, "the next does not follow it"


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.99])
async def test_a_file_that_was_cut_off(sealed: App, org: UUID, kept: float) -> None:
    file = await exported(sealed, org)
    assert (Wrong.MISSING, None) in verified(file[: int(len(file) * kept)])


async def test_a_file_that_somebody_else_signed(sealed: App, org: UUID) -> None:
    file = await exported(sealed, org)
    other = base64.b64encode(bytes(32)).decode()
    assert verified(file, key=other) == [(Wrong.CHANGED, None)]
    assert verified(file, noted=(6, bytes(32))) == [(Wrong.CHANGED, 6)]


async def test_what_was_changed_in_the_archive_before_shows_as_well(
    sealed: App, org: UUID, superuser: Superuser
) -> None:
    position = acts(read(await exported(sealed, org)))[3]["position"]
    async with superuser(sealed) as admin:
        await admin.execute(
            "UPDATE archive SET actor = 'user:other'"
            " WHERE id = (SELECT event_id FROM ledger WHERE position = $1)",
            position,
        )
    assert (Wrong.CHANGED, position) in verified(await exported(sealed, org))


async def test_what_is_hashed_is_what_the_archive_hashed(sealed: App, superuser: Superuser) -> None:
    async with superuser(sealed) as admin:
        different = await admin.fetchval(
            "SELECT count(*) FROM archive WHERE sha256(convert_to(archive_text(archive), 'UTF8'))"
            " <> archive_hash(archive)"
        )
    assert different == 0


async def test_the_command_takes_no_server(sealed: App, org: UUID, tmp_path: Path) -> None:
    file = tmp_path / "audit.ndjson"
    file.write_bytes(await exported(sealed, org))

    def said(*options: str) -> tuple[int, str]:
        command = [
            sys.executable,
            "-c",
            "from flotilla.cli import app; app()",
            "audit",
            "verify",
            str(file),
            *options,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin"})
        return done.returncode, done.stdout

    status, text = said("--key", audit_export.signer(sealed).public)
    assert (status, "12 acts in 4 blocks" in text) == (0, True), text
    file.write_bytes(file.read_bytes().replace(b'"outcome":"succeeded"', b'"outcome":"failed"', 1))
    status, text = said()
    assert (status, "changed: what is shown (position" in text) == (1, True), text

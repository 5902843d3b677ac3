"""What the archive tells of people grows old by kind: the events stay and the chain holds, the words are gone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flotilla.app import App
from flotilla.bus.declare import RawEvent
from flotilla.cause import Cause
from flotilla.events import CONTRACTS, crm, messaging
from flotilla.events.base import Event
from flotilla.ids import derived_id, new_id
from flotilla.privacy import sweeping
from flotilla.privacy.kinds import KINDS
from flotilla.replay.wire import Filter as Wish
from flotilla.security.sealing import UnsealError
from flotilla.testing.bills import charged, watch
from flotilla_analytics import audit_export
from flotilla_analytics.archiving import Opened, Personal, open_parts
from flotilla_analytics.auditing import acts
from flotilla_analytics.domain.ageing import KINDS_OF, end_of_week, is_decided
from flotilla_analytics.domain.ciphers import PersonCipher, period_in
from flotilla_analytics.erasure import erase_person
from flotilla_analytics.export_verification import verify_export
from flotilla_analytics.replaying.stretches import Reading, next_stretch
from flotilla_analytics.store import audit_log
from flotilla_analytics.store.archive import Filter, read_page
from flotilla_analytics.store.audit_log import Wanted
from flotilla_analytics.verification import verify
from flotilla_analytics.workers.sealer import seal_next
from flotilla_analytics.workers.search import fold_next

from services.analytics.tests.conftest import Archive, Events, OpenApp, Superuser

NOW = datetime.now(UTC)
OLD, YOUNG = NOW - timedelta(days=60), NOW - timedelta(days=1)
ACTOR = "user:0198c0de-0000-7000-8000-000000000001"
KEEPS = """
INSERT INTO retained (organization_id, periods, held, sequence) VALUES ($1, $2, $3, 1)
ON CONFLICT (organization_id) DO UPDATE SET periods = $2, held = $3, swept_at = NULL"""


def at(events: Events, time: datetime, data: Event, org: UUID, **more: Any) -> RawEvent:
    """The event as it was told at that time."""
    told = events.raw(data, org, event_id=derived_id(time, str(new_id())), **more)
    return RawEvent(msgspec.structs.replace(told.envelope, time=time), told.body)


async def sweeps(app: App, org: UUID, periods: dict[str, int | None], *held: str) -> None:
    """One turn, for an organization that keeps things so long."""
    await app.db.execute(KEEPS, org, periods, list(held))
    await sweeping.sweep(app)


async def opened(app: App, org: UUID) -> dict[UUID, Opened]:
    """All of the organization's events."""
    async with app.db.transaction(org) as tx:
        rows = await read_page(tx, org, Filter(), None, 1000)
        parts = await open_parts(tx, app.keyring, rows)
    return {row["id"]: part for row, part in zip(rows, parts, strict=True)}


async def seal(app: App) -> None:
    """Everything gets its position."""
    while await seal_next(app.db):
        pass


async def test_old_words_go_and_all_else_stays(
    fresh: App, org: UUID, events: Events, archive: Archive
) -> None:
    identity, contact = new_id(), new_id()
    old = at(events, OLD, events.received(identity_id=identity, text="an ancient kettle"), org)
    young = at(events, YOUNG, events.received(identity_id=identity, text="a modern kettle"), org)
    name = at(events, OLD, events.contact(contact_id=contact, name="Grace Hopper"), org)
    elsewhere = at(events, OLD, events.received(text="an ancient parcel"), new_id())
    await archive(fresh, [old, young, name])
    await archive(fresh, [elsewhere])
    await seal(fresh)
    before = await verify(fresh.db)

    await sweeps(fresh, org, {"messages": 30})

    found = await opened(fresh, org)
    assert found[old.envelope.id].personal == "aged_out"
    assert found[old.envelope.id].data["text"] is None
    assert found[old.envelope.id].data["channel"] == "telegram", "what is not personal stays"
    assert found[young.envelope.id].data["text"] == "a modern kettle"
    assert (found[name.envelope.id].personal, found[name.envelope.id].data["name"]) == (
        "shown",
        "Grace Hopper",
    )
    theirs = await opened(fresh, elsewhere.envelope.organizationid)
    assert theirs[elsewhere.envelope.id].data["text"] == "an ancient parcel"
    after = await verify(fresh.db)
    assert after.holds
    assert (after.events, after.head) == (before.events, before.head)


async def test_search_built_anew_finds_no_aged_word(
    fresh: App, org: UUID, events: Events, archive: Archive
) -> None:
    old = at(events, OLD, events.received(text="an ancient kettle", sent_at=OLD), org)
    young = at(events, YOUNG, events.received(text="a modern kettle", sent_at=YOUNG), org)
    await archive(fresh, [old, young])
    await seal(fresh)
    await sweeps(fresh, org, {"messages": 30})
    while await fold_next(fresh, fresh.own.search):
        pass
    assert await fresh.own.search.search(org, "ancient", ["message"], 10) == []
    assert len(await fresh.own.search.search(org, "modern", ["message"], 10)) == 1


async def test_a_replay_tells_of_aged_events_without_their_words(
    fresh: App, org: UUID, events: Events, archive: Archive
) -> None:
    old = at(events, OLD, events.received(text="an ancient kettle"), org)
    await archive(fresh, [old])
    await seal(fresh)
    await sweeps(fresh, org, {"messages": 30})
    reading = Reading(id=new_id(), request_id=new_id(), queue="none", filter=Wish(organizations=[org]))
    stretch = await next_stretch(fresh, reading, 0)
    assert stretch is not None
    body = bytes(stretch.events[0])
    assert b"kettle" not in body
    told = msgspec.json.decode(body)
    data = msgspec.convert(told["data"], messaging.MessageReceived)
    assert (data.text, data.sender, data.channel) == (None, None, "telegram")


async def test_the_audit_log_says_aged_out_and_its_download_holds(
    fresh: App, org: UUID, events: Events, archive: Archive
) -> None:
    cause = Cause.fresh(ACTOR)
    said = at(events, OLD, events.send_requested(text="an ancient kettle"), org, cause=cause)
    renamed = events.contact(crm.ContactUpdated, changed={"tags": [[], ["vip"]]})
    await archive(fresh, [said, at(events, OLD, renamed, org, cause=cause)])
    await seal(fresh)
    await sweeps(fresh, org, {"messages": 30})

    async with fresh.db.transaction(org) as tx:
        rows = await audit_log.read_page(tx, org, Wanted(), None, 10)
        told = {act.action: act for act in await acts(tx, org, rows)}
    assert told["message.send.requested.v1"].personal is Personal.AGED_OUT
    assert told["contact.updated.v1"].personal is Personal.SHOWN
    file = b"".join([piece async for piece in audit_export.proven(fresh, org, Wanted())])
    assert b"kettle" not in file
    assert b'"aged_out"' in file
    assert verify_export(file.splitlines(keepends=True)).findings == []


async def test_a_legal_hold_keeps_the_words(app: App, org: UUID, events: Events, archive: Archive) -> None:
    old = at(events, OLD, events.received(text="an ancient kettle"), org)
    await archive(app, [old])
    for held in ("messages", "all"):
        await sweeps(app, org, {"messages": 30}, held)
        assert (await opened(app, org))[old.envelope.id].data["text"] == "an ancient kettle"
    await sweeps(app, org, {"messages": 30})
    assert (await opened(app, org))[old.envelope.id].personal == "aged_out"


async def test_what_comes_late_into_an_old_week_does_not_hurt_what_went(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    identity = new_id()
    old, late = (at(events, OLD, events.received(identity_id=identity, text=text), org) for text in "ab")
    await archive(app, [old])
    await sweeps(app, org, {"messages": 30})
    await archive(app, [late])
    found = await opened(app, org)
    assert found[old.envelope.id].personal == "aged_out", "its key was another one"
    assert found[late.envelope.id].data["text"] == "b"
    await sweeps(app, org, {"messages": 30})
    assert (await opened(app, org))[late.envelope.id].personal == "aged_out"


async def test_an_erasure_destroys_every_week_and_nobody_is_given_another(
    app: App, org: UUID, events: Events, archive: Archive
) -> None:
    identity, other = new_id(), new_id()
    theirs = [at(events, time, events.received(identity_id=identity), org) for time in (OLD, YOUNG)]
    stranger = at(events, OLD, events.received(identity_id=other), org)
    await archive(app, [*theirs, stranger])
    await erase_person(app, org, f"identity:{identity}")
    late = at(events, OLD, events.received(identity_id=identity), org)
    await archive(app, [late])

    found = await opened(app, org)
    assert {found[each.envelope.id].personal for each in (*theirs, late)} == {Personal.ERASED}
    assert found[stranger.envelope.id].personal == "shown"
    async with app.db.transaction(org) as tx:
        assert await tx.fetchval("SELECT array_agg(person) FROM person_periods") == [f"identity:{other}"]


async def test_what_was_archived_before_there_were_weeks_is_read_and_goes_with_the_person(
    app: App, org: UUID, events: Events, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = new_id()
    before = at(events, OLD, events.received(identity_id=identity, text="an ancient kettle"), org)
    with monkeypatch.context() as earlier:
        earlier.setattr("flotilla_analytics.archiving.kind_of", lambda type_: "")
        await archive(app, [before])
    after = at(events, OLD, events.received(identity_id=identity, text="a newer one"), org)
    await archive(app, [after])
    await sweeps(app, org, {"messages": 30})
    found = await opened(app, org)
    assert found[before.envelope.id].data["text"] == "an ancient kettle"
    assert found[after.envelope.id].personal == "aged_out"
    await erase_person(app, org, f"identity:{identity}")
    assert (await opened(app, org))[before.envelope.id].personal == "erased"


async def test_a_batch_asks_for_keys_as_often_as_one_event(
    open_app: OpenApp, org: UUID, events: Events, archive: Archive
) -> None:
    def batch(number: int) -> list[RawEvent]:
        return [at(events, OLD, events.received(identity_id=new_id()), org) for _ in range(number)]

    async with open_app() as own:
        await watch(own.db.pool, own.settings.postgres_connections)
        totals = []
        for number in (1, 50):
            known = batch(number)
            with charged() as bill:
                await archive(own, known)
            with charged() as again:
                await archive(own, known)
            totals.append((bill.statements.total(), again.statements.total()))
        one, many = totals
        assert one == many
        assert one[0] == one[1] + 1, "of people who are new, their keys are written, and that is all"


async def test_whoever_tampers_with_the_week_is_found_out(
    fresh: App, org: UUID, events: Events, archive: Archive, superuser: Superuser
) -> None:
    old = at(events, OLD, events.received(), org)
    await archive(fresh, [old])
    await seal(fresh)
    async with superuser(fresh) as admin:
        await admin.execute("UPDATE archive SET sealed = overlay(sealed placing $1 from 2)", new_id().bytes)
    assert (await opened(fresh, org))[old.envelope.id].personal == "aged_out", "as if its key had gone"
    assert not (await verify(fresh.db)).holds


def test_of_every_personal_type_somebody_has_said_how_it_ages() -> None:
    personal = {type_ for type_, contract in CONTRACTS.items() if contract.personal_fields}
    assert [type_ for type_ in sorted(personal) if not is_decided(type_)] == []
    assert set(KINDS_OF.values()) <= KINDS.keys()


@pytest.mark.parametrize(
    ("time", "end"),
    [
        (datetime(2026, 11, 16, 0, 0, tzinfo=UTC), date(2026, 11, 23)),
        (datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC), date(2026, 11, 23)),
        (datetime(2026, 11, 22, 23, 0, tzinfo=UTC).astimezone(), date(2026, 11, 23)),
        (datetime(1901, 1, 1, tzinfo=UTC), date(1970, 1, 12)),
        (datetime(9999, 12, 31, tzinfo=UTC), date(9999, 12, 31)),
    ],
)
def test_a_week_ends_with_the_monday_after(time: datetime, end: date) -> None:
    assert end_of_week(time) == end


def test_a_week_s_key_takes_the_person_s_and_the_week_s_secret() -> None:
    org, event, period = new_id(), new_id(), new_id()
    sealed = PersonCipher.of_period(b"k" * 32, period, b"s" * 32).seal(b"kettle", org, event)
    assert PersonCipher.of_period(b"k" * 32, period, b"s" * 32).open(sealed, org, event) == b"kettle"
    others = [
        PersonCipher.of_period(b"x" * 32, period, b"s" * 32),
        PersonCipher.of_period(b"k" * 32, period, b"x" * 32),
        PersonCipher.of_period(b"k" * 32, new_id(), b"s" * 32),
        PersonCipher(b"k" * 32),
        PersonCipher(b"k" * 32, period),
    ]
    for other in others:
        with pytest.raises(UnsealError):
            other.open(sealed, org, event)
    with pytest.raises(UnsealError):
        period_in(sealed[:9])

"""Checks from beginning to end: joined, explained, kept as evidence, told; registers that fail hide nothing."""

import asyncio
import csv
import hashlib
import io
from typing import Any
from uuid import UUID

from flotilla.events.kyb import (
    CounterpartyAlertRaised,
    CounterpartyChanged,
    CounterpartyChecked,
    SourceFailed,
    SourceRecovered,
)
from flotilla.instance import Instance
from flotilla.service import load
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import running
from flotilla.testing.simulators.gleif import GleifSimulator, throttled
from flotilla.testing.simulators.register import Hang, Say
from flotilla.testing.simulators.vies import ViesSimulator, refusal

from services.kyb.tests.conftest import Make, any_lei, bring_forward, checked, german_number


async def latest(kyb: Harness, org: UUID, made: dict[str, Any]) -> dict[str, Any]:
    """The counterparty's newest snapshot."""
    answer = await kyb.client(org).get(f"/v1/counterparties/{made['id']}/snapshots")
    snapshot: dict[str, Any] = answer.json()["items"][0]
    return snapshot


async def test_what_both_registers_confirm_is_verified_with_evidence(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator, gleif: GleifSimulator
) -> None:
    number, lei = german_number(), any_lei()
    vies.register("DE", number, "=Ink & Paper GmbH", "Hauptstr. 1")
    gleif.register(lei, "Ink & Paper GmbH")
    made = await make(vat_number=number, lei=lei)
    event = await checked(kyb, made["id"])
    assert (event.state, event.risk_score, event.reasons) == ("verified", 0, [])
    assert {source.source: source.verdict for source in event.sources} == {"vies": "valid", "gleif": "valid"}
    heard = kyb.spy.of(CounterpartyChecked, org)[0]
    assert heard.envelope.audience == "org"
    changed = kyb.spy.of(CounterpartyChanged, org)[0]
    assert changed.data.changed["state"] == ["unchecked", "verified"]
    assert heard.envelope.correlationid == changed.envelope.correlationid

    client, path = kyb.client(org), f"/v1/counterparties/{made['id']}"
    snapshot = await latest(kyb, org, made)
    assert snapshot["id"] == str(event.snapshot_id)
    assert snapshot["fields"]["gleif.registration_status"]["value"] == "ISSUED"
    assert not snapshot["fields"]["vies.name"]["stale"]
    check = (await client.get(f"{path}/checks/{event.check_id}")).json()
    assert (check["state"], check["reason"], check["asked"]["vat_number"]) == (
        "ended",
        "created",
        f"DE{number}",
    )
    assert [result["verdict"] for result in check["results"]] == ["valid", "valid"]

    file = await client.get(f"{path}/checks/{event.check_id}/evidence")
    assert "attachment" in file.headers["Content-Disposition"]
    answers = file.json()["answers"]
    assert {answer["source"] for answer in answers} == {"vies", "gleif"}
    assert len(answers) == 4
    for answer in answers:
        assert hashlib.sha256(answer["body"].encode()).hexdigest() == answer["sha256"]
    table = await client.get(f"{path}/checks/{event.check_id}/evidence?format=csv")
    rows = list(csv.DictReader(io.StringIO(table.body.decode("utf-8-sig"))))
    names = {(row["source"], row["field"]): row["value"] for row in rows}
    assert names["vies", "name"] == "'=Ink & Paper GmbH"
    assert all(row["sha256"] for row in rows)


async def test_one_register_down_does_not_hide_the_other(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator, gleif: GleifSimulator
) -> None:
    number, lei = german_number(), any_lei()
    gleif.register(lei, "Ink & Paper GmbH", status="LAPSED")
    vies.down(refusal("SERVICE_UNAVAILABLE"))
    made = await make(vat_number=number, lei=lei)
    event = await checked(kyb, made["id"])
    assert event.state == "unverified"
    assert {source.source: source.verdict for source in event.sources} == {
        "vies": "unverified",
        "gleif": "valid",
    }
    assert [reason.type for reason in event.reasons] == ["lei_lapsed", "unverified"]
    assert vies.times_asked(f"DE{number}") == 3
    failed = kyb.spy.of(SourceFailed, org)
    assert [(each.data.source, each.data.scope) for each in failed] == [("vies", None)]
    assert failed[0].envelope.audience == "org"
    alert = (await kyb.spy.expect(CounterpartyAlertRaised, lambda event: event.org == org)).data
    assert (alert.type, alert.severity, alert.counterparty_name) == (
        "lei_lapsed",
        "medium",
        "Ink & Paper GmbH",
    )


async def test_a_register_that_is_back_is_asked_again_by_itself(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator, gleif: GleifSimulator
) -> None:
    """Told once that it failed, however often; told once that it is back; the other is not asked again."""
    number, lei = german_number(), any_lei()
    gleif.register(lei, "Ink & Paper GmbH")
    vies.register("DE", number)
    vies.down(refusal("MS_UNAVAILABLE"))
    made = await make(vat_number=number, lei=lei)
    await checked(kyb, made["id"])
    await bring_forward(kyb, org, "recheck")
    assert (await checked(kyb, made["id"], 2)).state == "unverified"
    vies.up()
    await bring_forward(kyb, org, "recheck")
    assert (await checked(kyb, made["id"], 3)).state == "verified"
    assert gleif.times_asked(lei) == 1
    failed, back = (
        kyb.spy.of(SourceFailed, org),
        await kyb.spy.expect(SourceRecovered, lambda event: event.org == org),
    )
    assert [(each.data.source, each.data.scope, each.sequence) for each in failed] == [("vies", "DE", 1)]
    assert (back.data.source_id, back.data.scope, back.sequence) == (failed[0].data.source_id, "DE", 2)
    assert len(kyb.spy.of(SourceRecovered, org)) == 1
    assert await kyb.app.db.fetchval(COUNT_TIMERS, org, "recheck") == 0
    (source,) = (await kyb.client(org).get("/v1/counterparty-sources")).json()
    assert (source["source"], source["scope"], source["state"]) == ("vies", "DE", "up")


COUNT_TIMERS = "SELECT count(*) FROM jobs WHERE organization_id = $1 AND kind = $2"


async def test_a_busy_register_is_waited_for(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator, gleif: GleifSimulator
) -> None:
    number, lei = german_number(), any_lei()
    vies.register("DE", number)
    gleif.register(lei, "Ink & Paper GmbH")
    vies.fails(f"DE{number}", refusal("GLOBAL_MAX_CONCURRENT_REQ"), refusal("MS_MAX_CONCURRENT_REQ"))
    gleif.fails(lei, throttled(1))
    made = await make(vat_number=number, lei=lei)
    assert (await checked(kyb, made["id"])).state == "verified"
    assert (vies.times_asked(f"DE{number}"), gleif.times_asked(lei)) == (3, 2)
    assert kyb.spy.of(SourceFailed, org) == []


async def test_a_check_ends_at_its_deadline_with_what_was_said(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator, gleif: GleifSimulator
) -> None:
    """VIES is busy for longer than the check lasts; its late answer changes nothing."""
    number, lei = german_number(), any_lei()
    gleif.register(lei, "Ink & Paper GmbH")
    vies.fails(f"DE{number}", *[refusal("MS_MAX_CONCURRENT_REQ")] * 1000)
    made = await make(vat_number=number, lei=lei)

    async def gleif_said() -> bool:
        async with kyb.app.db.transaction(org) as tx:
            said = await tx.fetchval("SELECT verdict FROM check_results WHERE source = 'gleif'")
        return bool(said == "valid")

    await eventually(gleif_said)
    assert kyb.spy.of(CounterpartyChecked, org) == []
    await bring_forward(kyb, org, "check_deadline")
    event = await checked(kyb, made["id"])
    assert event.state == "unverified"
    assert {source.source: source.verdict for source in event.sources} == {
        "vies": "unverified",
        "gleif": "valid",
    }
    vies.up()

    async def nothing_left() -> bool:
        return bool(await kyb.app.db.fetchval(COUNT_TIMERS, org, "ask_vies") == 0)

    await eventually(nothing_left)
    assert len(kyb.spy.of(CounterpartyChecked, org)) == 1


async def test_what_is_new_is_told_and_what_is_known_is_not(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator
) -> None:
    number = german_number()
    vies.register("DE", number, "Ink & Paper GmbH", "Old 1")
    made = await make(vat_number=number)
    await checked(kyb, made["id"])
    client, path = kyb.client(org), f"/v1/counterparties/{made['id']}"
    vies.register("DE", number, "Ink & Paper GmbH", "New 2")
    asked = await client.post(f"{path}/checks")
    assert (asked.status, asked.json()["reason"], asked.json()["state"]) == (202, "asked", "running")
    await checked(kyb, made["id"], 2)
    assert (await latest(kyb, org, made))["changed"] == {"vies.address": ["Old 1", "New 2"]}
    changes = [event.data.changed for event in kyb.spy.of(CounterpartyChanged, org)]
    assert changes[-1]["vies.address"] == ["Old 1", "New 2"]

    vies.strike_off("DE", number)
    for number_of_check in (3, 4):
        await client.post(f"{path}/checks")
        assert (await checked(kyb, made["id"], number_of_check)).state == "invalid"
    await kyb.spy.expect(CounterpartyAlertRaised, lambda event: event.data.type == "vat_invalid")
    raised = [event.data.type for event in kyb.spy.of(CounterpartyAlertRaised, org)]
    assert raised == ["address_changed", "vat_invalid"]

    (first, _) = (await client.get("/v1/counterparty-alerts?state=open")).json()["items"]
    assert (first["type"], first["severity"]) == ("vat_invalid", "critical")
    seen = await client.post(f"/v1/counterparty-alerts/{first['id']}/acknowledge")
    again = await client.post(f"/v1/counterparty-alerts/{first['id']}/acknowledge")
    assert (seen.json()["state"], seen.json()["acknowledged_by"]) == ("acknowledged", str(client.user_id))
    assert again.json() == seen.json()
    answer = (await client.get("/v1/counterparty-alerts?state=open")).json()
    assert [alert["type"] for alert in answer["items"]] == ["address_changed"]
    assert (await client.get("/v1/counterparty-alerts?severity=critical")).json()["items"][0] == seen.json()


async def test_checking_twice_at_once_is_one_check(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator
) -> None:
    number = german_number()
    vies.register("DE", number)
    made = await make(vat_number=number)
    await checked(kyb, made["id"])
    client, path = kyb.client(org), f"/v1/counterparties/{made['id']}/checks"
    answers = await asyncio.gather(*[client.post(path) for _ in range(5)])
    assert {answer.status for answer in answers} == {202}
    await checked(kyb, made["id"], 2)
    asked = {answer.json()["id"] for answer in answers}
    assert vies.times_asked(f"DE{number}") == 1 + len(asked)


async def test_registers_are_asked_politely_by_all_processes_together(
    stores: Instance, org: UUID, vies: ViesSimulator, settings: dict[str, Any]
) -> None:
    """Two replicas, six counterparties at once: the registers' turns are taken one after the other."""
    vies.asked.clear()
    vies.busiest = 0
    slowly, service = {**settings, "vies_interval_seconds": 0.6}, load("kyb")
    async with (
        running(service, instance=stores, **slowly) as one,
        running(service, instance=stores, **slowly) as other,
    ):
        for number in range(6):
            body = {"name": f"Ink {number}", "country": "DE", "vat_number": german_number()}
            harness = (one, other)[number % 2]
            made = await harness.client(org).post("/v1/counterparties", body)
            assert made.status == 201

        async def all_ended() -> bool:
            return len(one.spy.of(CounterpartyChecked, org)) == 6

        await eventually(all_ended)
    times = sorted(time for time, _ in vies.asked)
    assert len(times) == 6
    assert times[-1] - times[0] > 2.1, (
        "five turns are 3 s; each replica on its own would need no more than 1.2"
    )
    assert vies.busiest < 6


async def test_a_register_that_hangs_is_left_after_its_time(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator
) -> None:
    number = german_number()
    vies.register("DE", number)
    vies.fails(f"DE{number}", Hang(), Say(502, b"Bad Gateway"))
    made = await make(vat_number=number)
    assert (await checked(kyb, made["id"])).state == "verified"
    assert len(kyb.spy.of(SourceFailed, org)) == len(kyb.spy.of(SourceRecovered, org)) == 1

"""The clients of registers against local servers that answer, and fail, as the registers document."""

import hashlib
from typing import Any

import pytest
from flotilla.bus.declare import RetryLater
from flotilla.testing import Harness
from flotilla.testing.simulators.gleif import GleifSimulator, throttled
from flotilla.testing.simulators.register import Drop, Fault, Hang, Say
from flotilla.testing.simulators.vies import ViesSimulator, refusal
from flotilla_kyb.domain.identity import Identity
from flotilla_kyb.own import own
from flotilla_kyb.sources import Answer, Asking, SourceDownError, SourceRefusedError

from services.kyb.tests.conftest import any_lei, german_number


def of(number: str | None = None, lei: str | None = None) -> Identity:
    return Identity(name="Ink", country="DE", vat_number=f"DE{number}" if number else None, lei=lei)


async def ask(kyb: Harness, name: str, identity: Identity) -> tuple[Answer, Asking]:
    source = own(kyb.app).sources[name]
    asking = own(kyb.app).asking(source)
    return await source.ask(asking, identity), asking


async def test_vies_knows_a_number(kyb: Harness, vies: ViesSimulator) -> None:
    number = german_number()
    vies.register("DE", number, "Ink &  Paper", "Hauptstr. 1\n\n10115  Berlin\n")
    answer, asking = await ask(kyb, "vies", of(number))
    assert (answer.valid, answer.scope) == (True, "DE")
    told = {"registered": "yes", "name": "Ink & Paper", "address": "Hauptstr. 1, 10115 Berlin"}
    assert answer.fields == told
    (exchange,) = asking.exchanges
    assert exchange.request.startswith("POST http://127.0.0.1")
    assert number in exchange.request
    assert b'"valid": true' in exchange.body


async def test_vies_does_not_know_a_number(kyb: Harness) -> None:
    answer, _ = await ask(kyb, "vies", of(german_number()))
    assert (answer.valid, answer.fields) == (False, {"registered": "no"})


async def test_a_member_state_may_keep_names_to_itself(kyb: Harness, vies: ViesSimulator) -> None:
    number = german_number()
    vies.register("DE", number)
    answer, _ = await ask(kyb, "vies", of(number))
    assert answer.fields == {"registered": "yes", "name": None, "address": None}


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    ("code", "scope"),
    [("MS_UNAVAILABLE", "DE"), ("TIMEOUT", "DE"), ("SERVICE_UNAVAILABLE", ""), ("IP_BLOCKED", "")],
)
async def test_vies_is_down(kyb: Harness, vies: ViesSimulator, code: str, scope: str, status: int) -> None:
    number = german_number()
    await ask(kyb, "vies", of(number))
    vies.fails(f"DE{number}", refusal(code, status=status))
    with pytest.raises(SourceDownError) as down:
        await ask(kyb, "vies", of(number))
    assert down.value.scope == scope


@pytest.mark.parametrize(
    "fault",
    [
        Drop(),
        Hang(),
        Say(503, b"<html>Service Unavailable</html>", content_type="text/html"),
        Say(200, b"<html>Maintenance</html>", content_type="text/html"),
        Say(200, b'{"valid": "maybe"}'),
        Say(200, b"[]"),
        Say(200, b"\xff\xfe"),
        Say(200, b'{"valid": true, "countryCode": "FR", "vatNumber": "1"}'),
        Say(404, b"{}"),
        Say(302, b"", {"Location": "http://127.0.0.1:1/"}),
    ],
)
async def test_what_cannot_be_read_says_nothing_of_the_number(
    kyb: Harness, vies: ViesSimulator, fault: Fault
) -> None:
    number = german_number()
    await ask(kyb, "vies", of(number))
    vies.register("DE", number)
    vies.fails(f"DE{number}", fault)
    with pytest.raises(SourceDownError):
        await ask(kyb, "vies", of(number))
    answer, _ = await ask(kyb, "vies", of(number))
    assert answer.valid


@pytest.mark.parametrize(
    ("said", "least"),
    [
        (refusal("GLOBAL_MAX_CONCURRENT_REQ"), 0.2),
        (refusal("MS_MAX_CONCURRENT_REQ", status=500), 0.2),
        (Say(429, b"{}", {"Retry-After": "1"}), 1.0),
        (Say(429, b"too many", {}, "text/plain"), 0.2),
    ],
)
async def test_vies_is_busy(kyb: Harness, vies: ViesSimulator, said: Say, least: float) -> None:
    number = german_number()
    vies.fails(f"DE{number}", said)
    with pytest.raises(RetryLater) as later:
        await ask(kyb, "vies", of(number))
    assert later.value.after.total_seconds() == pytest.approx(least)


@pytest.mark.parametrize("code", ["INVALID_INPUT", "VAT_BLOCKED"])
async def test_vies_refuses_the_question(kyb: Harness, vies: ViesSimulator, code: str) -> None:
    number = german_number()
    vies.fails(f"DE{number}", refusal(code, status=400))
    with pytest.raises(SourceRefusedError):
        await ask(kyb, "vies", of(number))


async def test_gleif_knows_an_entity_and_its_parents(kyb: Harness, gleif: GleifSimulator) -> None:
    lei, parent, top = any_lei(), any_lei(), any_lei()
    gleif.register(parent, "Paper Holding SE")
    gleif.register(top, "Paper World PLC", country="GB")
    gleif.register(lei, "Ink & Paper GmbH", parent=parent, ultimate_parent=top, registered_as="HRB 11")
    answer, asking = await ask(kyb, "gleif", of(lei=lei))
    assert answer.valid
    fields: dict[str, Any] = dict(answer.fields)
    assert (fields["name"], fields["registered_as"]) == ("Ink & Paper GmbH", "HRB 11")
    assert fields["address"] == "Hauptstr. 1, 10115 Berlin, DE"
    assert (fields["direct_parent"], fields["direct_parent_name"]) == (parent, "Paper Holding SE")
    assert (fields["ultimate_parent"], fields["ultimate_parent_name"]) == (top, "Paper World PLC")
    assert len(asking.exchanges) == 3
    assert len({hashlib.sha256(exchange.body).digest() for exchange in asking.exchanges}) == 3


async def test_gleif_says_why_there_is_no_parent(kyb: Harness, gleif: GleifSimulator) -> None:
    lei = any_lei()
    gleif.register(lei, "Ink & Paper GmbH", exception="NATURAL_PERSONS")
    answer, _ = await ask(kyb, "gleif", of(lei=lei))
    assert answer.fields["direct_parent"] == answer.fields["ultimate_parent"] == "none: NATURAL_PERSONS"


@pytest.mark.parametrize(
    ("record", "valid"),
    [
        ({"status": "ISSUED"}, True),
        ({"status": "LAPSED"}, True),
        ({"status": "RETIRED"}, False),
        ({"entity_status": "INACTIVE"}, False),
    ],
)
async def test_gleif_knows_how_an_lei_stands(
    kyb: Harness, gleif: GleifSimulator, record: dict[str, Any], valid: bool
) -> None:
    lei = any_lei()
    gleif.register(lei, "Ink & Paper GmbH", **record)
    answer, _ = await ask(kyb, "gleif", of(lei=lei))
    assert answer.valid is valid


async def test_gleif_does_not_know_an_lei(kyb: Harness) -> None:
    answer, asking = await ask(kyb, "gleif", of(lei=any_lei()))
    assert (answer.valid, answer.fields) == (False, {"registered": "no"})
    assert [exchange.status for exchange in asking.exchanges] == [404]


@pytest.mark.parametrize(
    "fault", [Drop(), Say(503, b"{}"), Say(200, b'{"data": {}}'), Say(200, b"not json"), Say(403, b"{}")]
)
async def test_gleif_is_down(kyb: Harness, gleif: GleifSimulator, fault: Fault) -> None:
    lei = any_lei()
    await ask(kyb, "gleif", of(lei=lei))
    gleif.fails(lei, fault, fault)  # the HTTP client itself repeats a GET whose kept connection was cut
    with pytest.raises(SourceDownError):
        await ask(kyb, "gleif", of(lei=lei))


async def test_a_parent_that_cannot_be_had_is_no_answer(kyb: Harness, gleif: GleifSimulator) -> None:
    """Half an answer would look like a parent that went away."""
    lei, parent = any_lei(), any_lei()
    gleif.register(parent, "Paper Holding SE")
    gleif.register(lei, "Ink & Paper GmbH", parent=parent)
    gleif.fails(f"{lei}/ultimate-parent", Say(502, b""))
    with pytest.raises(SourceDownError):
        await ask(kyb, "gleif", of(lei=lei))


async def test_gleif_throttles(kyb: Harness, gleif: GleifSimulator) -> None:
    """While it wants a rest, nobody's turn comes."""
    lei, other = any_lei(), any_lei()
    gleif.register(other, "Steel & Stone")
    gleif.fails(lei, throttled(1))
    with pytest.raises(RetryLater) as later:
        await ask(kyb, "gleif", of(lei=lei))
    assert later.value.after.total_seconds() == 1
    asked_at = gleif.asked[-1][0]
    await ask(kyb, "gleif", of(lei=other))
    next_at = next(time for time, what in gleif.asked if what == other)
    assert next_at - asked_at >= 0.9

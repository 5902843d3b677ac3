"""Identifiers, names, rules and conclusions, without a server."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flotilla.ids import new_id
from flotilla_kyb.domain.conclusion import Conclusion, conclude
from flotilla_kyb.domain.counterparty import Counterparty, Result, Standing
from flotilla_kyb.domain.identity import IdentityError, coverage, identify
from flotilla_kyb.domain.names import core, likeness
from flotilla_kyb.domain.timing import LONGEST_WAIT, back_off, next_turn

VAT = "DE136695976"
LEI = "HWUPKR0MPOU8FGXBT394"
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("country", "written", "kept"),
    [
        ("DE", "DE 136 695 976", VAT),
        ("DE", "136695976", VAT),
        ("FR", "FR 40 303 265 045", "FR40303265045"),
        ("GR", "094259216", "EL094259216"),
        ("GR", "GR 094259216", "EL094259216"),
        ("FR", VAT, VAT),  # registered for VAT in another state than its own
        ("GB", "XI 980780684", "XI980780684"),
        ("GB", "GB 980 7806 84", "980780684"),
        ("CH", "CHE-107.787.577 IVA", "CHE107787577IVA"),
    ],
)
def test_a_vat_number_has_one_written_form(country: str, written: str, kept: str) -> None:
    assert identify({"name": "A", "country": country, "vat_number": written}).vat_number == kept


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("vat_number", {"vat_number": "DE136695978"}),
        ("vat_number", {"vat_number": "13669597"}),
        ("lei", {"lei": "HWUPKR0MPOU8FGXBT395"}),
        ("lei", {"lei": "HWUPKR0MPOU8"}),
        ("registry_number", {"country": "FR", "registry_number": "552008444"}),
        ("country", {"country": "XX"}),
        ("country", {"country": "exceptions", "vat_number": "1"}),
        ("name", {"name": "  "}),
        ("name", {"name": "Ink\x07Paper"}),
    ],
)
def test_what_cannot_be_right_is_named(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(IdentityError) as found:
        identify({"name": "Ink", "country": "DE", **values})
    assert list(found.value.errors) == [field]


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(IdentityError) as found:
        identify({"name": "A", "country": "DE", "vat_number": "DE1", "lei": "1", "registry_number": "!"})
    assert set(found.value.errors) == {"vat_number", "lei", "registry_number"}


def test_registers_are_asked_what_they_know() -> None:
    whole = identify({"name": "A", "country": "DE", "vat_number": VAT, "lei": LEI})
    assert coverage(whole) == ("vies", "gleif")
    assert coverage(identify({"name": "A", "country": "GB", "vat_number": "980780684"})) == ()
    assert coverage(identify({"name": "A", "country": "US"})) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ink & Paper GmbH", "INK AND PAPER Gesellschaft mit beschränkter Haftung"),
        ("Société Générale S.A.", "SOCIETE GENERALE"),
        ("Müller Söhne KG", "Muller Sohne KG"),
        ("Tinte, Federn & Papier AG", "Papier, Tinte & Federn Aktiengesellschaft"),
        ("Kyivstar", "ПрАТ «Київстар»"),
        ("Alpha Bank A.E.", "ALPHA BANK||ΑΛΦΑ ΤΡΑΠΕΖΑ"),
    ],
)
def test_one_business_under_two_names(one: str, other: str) -> None:
    assert likeness(one, other) >= 85, (core(one), core(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ink & Paper GmbH", "Steel & Stone GmbH"),
        ("Ink GmbH", "Ink and Paper Holding GmbH"),
        ("Alpha Trading Ltd", "Beta Trading Ltd"),
    ],
)
def test_two_businesses(one: str, other: str) -> None:
    assert likeness(one, other) < 85, (core(one), core(other))


def a_counterparty(**values: Any) -> Counterparty:
    given: dict[str, Any] = {
        "id": new_id(),
        "name": "Ink & Paper GmbH",
        "country": "DE",
        "vat_number": VAT,
        "lei": LEI,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Counterparty(**given | values)


def of_vies(**fields: str | None) -> Result:
    return Result(
        source="vies", verdict="valid", fields={"registered": "yes", "name": "Ink & Paper"} | fields
    )


def of_gleif(**fields: str | None) -> Result:
    known = {
        "registered": "yes",
        "name": "Ink & Paper GmbH",
        "country": "DE",
        "registration_status": "ISSUED",
    }
    return Result(source="gleif", verdict="valid", fields=known | fields)


def silent(source: str) -> Result:
    return Result(source=source, verdict="unverified", reason="It does not answer.")


def after(counterparty: Counterparty, conclusion: Conclusion) -> Counterparty:
    findings = [[finding.type, finding.key] for finding in conclusion.findings]
    return replace(counterparty, findings=findings)


def types(conclusion: Conclusion) -> list[str]:
    return [finding.type for finding in conclusion.findings]


def test_what_all_registers_confirm_is_verified() -> None:
    found = conclude(a_counterparty(), new_id(), [of_vies(), of_gleif()], {}, NOW)
    assert (found.state, found.risk_score, found.risk_level, found.alerts) == ("verified", 0, "low", [])
    assert found.changed == {}


def test_a_silent_register_makes_nothing_invalid_and_hides_nothing() -> None:
    counterparty = a_counterparty()
    first = conclude(counterparty, new_id(), [of_vies(), of_gleif()], {}, NOW)
    later = NOW + timedelta(days=1)
    results = [silent("vies"), of_gleif(registration_status="LAPSED")]
    second = conclude(counterparty, new_id(), results, first.standings, later)
    assert second.state == "unverified"
    assert types(second) == ["lei_lapsed", "unverified"]
    fields = second.fields()
    assert (fields["vies.name"]["stale"], fields["vies.name"]["confirmed_at"]) == (True, NOW)
    assert (fields["gleif.name"]["stale"], fields["gleif.name"]["confirmed_at"]) == (False, later)
    assert second.changed == {"gleif.registration_status": ["ISSUED", "LAPSED"]}
    assert [alert.type for alert in second.alerts] == ["lei_lapsed"]
    assert second.unanswered == ("vies",)


def test_a_register_that_never_answered_leaves_it_unverified() -> None:
    found = conclude(a_counterparty(lei=None), new_id(), [silent("vies")], {}, NOW)
    assert (found.state, found.fields(), found.risk_level) == ("unverified", {}, "low")
    assert conclude(a_counterparty(lei=None, vat_number=None), new_id(), [], {}, NOW).state == "unverified"


def test_a_last_word_of_invalid_is_not_undone_by_silence() -> None:
    counterparty = a_counterparty(lei=None)
    struck = Result(source="vies", verdict="invalid", fields={"registered": "no"})
    first = conclude(counterparty, new_id(), [struck], {}, NOW)
    assert (first.state, first.risk_level, types(first)) == ("invalid", "high", ["vat_invalid"])
    second = conclude(after(counterparty, first), new_id(), [silent("vies")], first.standings, NOW)
    assert (second.state, types(second), second.alerts) == ("invalid", ["vat_invalid", "unverified"], [])


def test_an_alert_is_raised_once_and_again_when_it_is_new_again() -> None:
    counterparty = a_counterparty(vat_number=None)
    lapsed = of_gleif(registration_status="LAPSED")
    one = conclude(counterparty, new_id(), [lapsed], {}, NOW)
    two = conclude(after(counterparty, one), new_id(), [lapsed], one.standings, NOW)
    assert ([len(one.alerts), len(two.alerts)], two.changed) == ([1, 0], {})
    three = conclude(after(counterparty, two), new_id(), [of_gleif()], two.standings, NOW)
    four = conclude(after(counterparty, three), new_id(), [lapsed], three.standings, NOW)
    assert [alert.type for alert in four.alerts] == ["lei_lapsed"]


def test_what_registers_say_otherwise_is_told_field_by_field() -> None:
    counterparty = a_counterparty()
    parent = {"direct_parent": "none: NO_KNOWN_PERSON"}
    first = conclude(counterparty, new_id(), [of_vies(address="Old 1, Berlin"), of_gleif(**parent)], {}, NOW)
    results = [of_vies(address="New 2, Berlin"), of_gleif(direct_parent=LEI)]
    second = conclude(after(counterparty, first), new_id(), results, first.standings, NOW)
    assert second.changed == {
        "vies.address": ["Old 1, Berlin", "New 2, Berlin"],
        "gleif.direct_parent": ["none: NO_KNOWN_PERSON", LEI],
    }
    assert {alert.type: alert.severity for alert in second.alerts} == {
        "address_changed": "low",
        "parent_changed": "medium",
    }
    assert "Old 1, Berlin" in second.alerts[1].detail


def test_a_register_that_knows_it_otherwise() -> None:
    results = [of_vies(name="Steel & Stone"), of_gleif(country="AT", registered_as="HRB 99")]
    found = conclude(a_counterparty(registry_number="HRB 11"), new_id(), results, {}, NOW)
    assert types(found) == ["name_mismatch", "country_mismatch", "registry_number_mismatch"]
    assert (found.state, found.risk_score, found.risk_level) == ("verified", 60, "high")
    assert "Steel & Stone" in found.findings[0].detail


def test_what_was_not_asked_in_this_check_stands() -> None:
    counterparty = a_counterparty()
    first = conclude(counterparty, new_id(), [silent("vies"), of_gleif()], {}, NOW)
    assert first.state == "unverified"
    second = conclude(counterparty, new_id(), [of_vies()], first.standings, NOW + timedelta(hours=1))
    assert (second.state, second.unanswered) == ("verified", ())
    assert second.standings["gleif"] == first.standings["gleif"]


def test_answers_of_a_register_that_no_longer_covers_it_are_left_out() -> None:
    before = {"vies": Standing(source="vies", verdict="invalid", confirmed_at=NOW)}
    found = conclude(a_counterparty(vat_number=None), new_id(), [of_gleif()], before, NOW)
    assert (found.state, list(found.standings)) == ("verified", ["gleif"])


def test_turns_are_spread_and_waits_grow() -> None:
    daily = {next_turn("daily") for _ in range(50)}
    assert len(daily) > 40
    assert all(timedelta(hours=22) < turn < timedelta(hours=26) for turn in daily if turn)
    assert next_turn("none") is None
    waits = [back_off(timedelta(minutes=5), tried) for tried in (1, 2, 3, 50)]
    assert waits == sorted(waits)
    assert waits[-1] <= LONGEST_WAIT * 1.05

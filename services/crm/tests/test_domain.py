"""Rules without servers."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from flotilla.events.integrations import SenderProfile
from flotilla.ids import new_id
from flotilla_crm.domain import normal
from flotilla_crm.domain.people import Reach, Stranger, introduce, stranger
from flotilla_crm.domain.revision import Changed, announced, merge_fields


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("+49 (0) 30 901820", "+4930901820"),
        ("+1 650-253-0000", "+16502530000"),
        ("+33 1 42 68 53 00", "+33142685300"),
    ],
)
def test_phones_are_kept_in_e164(written: str, kept: str) -> None:
    assert normal.phone(written) == kept


@pytest.mark.parametrize("written", ["030 901820", "+49", "call me", "+999 12345678", ""])
def test_a_phone_that_cannot_be_dialled_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        normal.phone(written)


def test_emails_are_compared_in_lower_case() -> None:
    assert normal.email("  Zoe.Gross@Example.COM ") == "zoe.gross@example.com"
    for wrong in ("zoe", "zoe@", "@example.com", "a b@example.com", "zoe@exa mple.com"):
        with pytest.raises(ValueError):
            normal.email(wrong)


def test_names_are_trimmed_and_composed() -> None:
    assert normal.name("  Zoe\u0308 \t  Groß\n") == "Zoë Groß"
    for wrong in ("", "   ", "a\x00b", "\u200b" * 300):
        with pytest.raises(ValueError):
            normal.name(wrong)


def test_names_are_searched_without_marks_and_case() -> None:
    assert normal.folded("Zoë  GROẞ") == "zoe gross"
    assert normal.folded("Éloïse Łukasz") == "eloise łukasz"
    assert normal.folded("ЙОСИП") == normal.folded("йосип")


@pytest.mark.parametrize(
    ("written", "kept"), [("DE", "de"), ("pt_br", "pt-BR"), ("zh-Hant", "zh-Hant"), ("uk", "uk")]
)
def test_languages(written: str, kept: str) -> None:
    assert normal.language(written) == kept


@pytest.mark.parametrize(
    ("written", "kept"), [("Example.COM.", "example.com"), ("bücher.example", "xn--bcher-kva.example")]
)
def test_domains(written: str, kept: str) -> None:
    assert normal.domain(written) == kept


@pytest.mark.parametrize(
    "written", ["example", "https://example.com", "-a.example", "a..example", "a b.example"]
)
def test_what_is_no_domain_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        normal.domain(written)


def test_null_takes_a_custom_field_away() -> None:
    assert merge_fields({"size": 4, "colour": "blue"}, {"size": None, "seats": 2}) == {
        "colour": "blue",
        "seats": 2,
    }


def test_events_name_changed_custom_fields_without_their_values() -> None:
    changed: Changed = {
        "name": ["A", "B"],
        "custom_fields": [{"iban": "DE89", "size": 4}, {"iban": "DE90", "vip": True, "size": 4}],
    }
    assert announced(changed) == {"name": ["A", "B"], "custom_fields": [["iban"], ["iban", "vip"]]}


ORG = new_id()
WROTE_AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


def _stranger(email: str | None = None, phone: str | None = None, org: UUID = ORG) -> Stranger:
    return stranger(
        org=org,
        identity_id=new_id(),
        proposed_id=new_id(),
        wrote_at=WROTE_AT,
        channel="telegram",
        account_id=new_id(),
        sender=SenderProfile(address="1", email=email, phone=phone),
    )


def test_a_stranger_is_a_new_contact() -> None:
    someone = _stranger()
    assert [(each.contact_id, each.new) for each in introduce([someone], [])] == [(someone.proposed_id, True)]


def test_one_contact_with_the_phone_is_the_person() -> None:
    someone, contact = _stranger(phone="49 30 901820"), new_id()
    found = introduce([someone], [(Reach(ORG, phone="+4930901820"), contact)])
    assert [(each.contact_id, each.new) for each in found] == [(contact, False)]


def test_phone_and_email_of_one_contact_are_one_match() -> None:
    someone, contact = _stranger("zoe@example.com", "+4930901820"), new_id()
    known = [(reach, contact) for reach in someone.reaches]
    assert introduce([someone], known)[0].contact_id == contact


def test_where_two_could_be_meant_nobody_is_guessed() -> None:
    someone = _stranger("zoe@example.com", "+4930901820")
    known = [(someone.reaches[0], new_id()), (someone.reaches[1], new_id())]
    assert introduce([someone], known)[0].new


def test_two_strangers_with_one_phone_are_one_person() -> None:
    first, second = _stranger(phone="+4930901820"), _stranger(phone="+49 30 901820")
    assert {each.contact_id for each in introduce([first, second], [])} == {first.proposed_id}


def test_another_organizations_contact_is_nobody_here() -> None:
    ours, theirs = _stranger(phone="+4930901820"), _stranger(phone="+4930901820", org=new_id())
    assert len({each.contact_id for each in introduce([ours, theirs], [])}) == 2


def test_what_a_channel_says_wrong_is_left_out() -> None:
    someone = stranger(
        org=ORG,
        identity_id=new_id(),
        proposed_id=new_id(),
        wrote_at=WROTE_AT,
        channel="telegram",
        account_id=new_id(),
        sender=SenderProfile(
            address="1", name=" \x00 ", username="zoe", email="none", phone="123", language="?"
        ),
    )
    assert (someone.name, someone.email, someone.phone, someone.language) == ("zoe", None, None, None)

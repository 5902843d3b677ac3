"""Consent by region: which bases count, for how long, where somebody lives, and what a refusal says."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flotilla.consent.known import Known
from flotilla.consent.regions import region_of_country, region_of_zone
from flotilla.consent.rules import CHANNELS, RULES, OwnRule, Said, explained, judged, rule_of, verdict
from flotilla.events.crm import ConsentChanged
from flotilla.ids import new_id

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def _once(basis: str, days: int, state: str = "granted", channel: str = "any") -> Said:
    return Said(channel, state, basis, NOW - timedelta(days=days))


ALL, NOBODY = CHANNELS, "no_consent"
EMAIL = frozenset({"email"})
BUT_TEXTS = CHANNELS - {"sms", "phone", "whatsapp"}


@pytest.mark.parametrize(
    ("region", "said", "settings", "found"),
    [
        ("eu", [], {}, NOBODY),
        ("uk", [], {}, NOBODY),
        ("ca", [], {}, NOBODY),
        ("xx", [], {}, NOBODY),
        ("us", [], {}, EMAIL),
        ("us", [], {"strict": True}, NOBODY),
        ("us", [], {"known": True}, EMAIL),
        ("eu", [], {"known": True}, ALL),
        ("uk", [], {"known": True}, ALL),
        ("ca", [], {"known": True}, NOBODY),
        ("eu", [], {"known": True, "strict": True}, NOBODY),
        ("eu", [_once("consent", 4000)], {}, ALL),
        ("eu", [_once("consent", 1, channel="email")], {}, EMAIL),
        ("eu", [_once("legal_obligation", 1)], {"known": True}, NOBODY),
        ("eu", [_once("consent", 1), _once("consent", 1, "withdrawn")], {"known": True}, "withdrawn"),
        ("ca", [_once("consent", 4000)], {"strict": True}, ALL),
        ("ca", [_once("contract", 700)], {}, ALL),
        ("ca", [_once("contract", 740)], {}, "consent_expired"),
        ("ca", [_once("legitimate_interest", 180)], {}, ALL),
        ("ca", [_once("legitimate_interest", 190)], {}, "consent_expired"),
        ("ca", [_once("contract", 740), _once("consent", 800)], {}, ALL),
        ("us", [_once("contract", 1)], {}, BUT_TEXTS),
        ("us", [_once("contract", 1, channel="sms")], {}, EMAIL),
        ("us", [_once("contract", 1, channel="sms")], {"strict": True}, NOBODY),
        ("us", [_once("consent", 1, channel="sms")], {}, EMAIL | {"sms"}),
        ("us", [_once("consent", 1)], {"strict": True}, ALL),
        ("us", [_once("consent", 1, "withdrawn")], {}, "withdrawn"),
    ],
)
def test_who_may_be_written_to(
    region: str, said: list[Said], settings: dict[str, bool], found: str | frozenset[str]
) -> None:
    told = verdict(region, said, NOW, **settings)
    assert (told.refused or told.channels) == found


def test_where_they_live_elsewhere_both_rules_hold() -> None:
    by_mail = verdict("us", [], NOW)
    assert by_mail.and_also(verdict("eu", [], NOW)).refused == "no_consent"
    agreed = [_once("consent", 1, channel="sms")]
    assert by_mail.and_also(verdict("eu", agreed, NOW)).refused == "no_consent", "no channel of both"
    assert verdict("us", agreed, NOW).and_also(verdict("eu", agreed, NOW)).channels == {"sms"}


@pytest.mark.parametrize(
    ("zone", "region"),
    [
        ("Europe/Berlin", "eu"),
        ("Atlantic/Canary", "eu"),
        ("Asia/Nicosia", "eu"),
        ("Europe/London", "uk"),
        ("America/Toronto", "ca"),
        ("America/New_York", "us"),
        ("US/Eastern", "us"),
        ("America/Indiana/Knox", "us"),
        ("America/Sao_Paulo", None),
        ("UTC", None),
        (None, None),
    ],
)
def test_a_time_zone_says_whose_law(zone: str | None, region: str | None) -> None:
    assert region_of_zone(zone) == region


def test_every_rule_says_where_it_comes_from_and_a_refusal_says_which() -> None:
    for region, rule in RULES.items():
        assert rule.sources
        assert rule.law in explained(region, "no_consent")
    assert rule_of("elsewhere") is RULES["eu"], "where no rule is known, the strictest"


@pytest.mark.parametrize(
    ("country", "region"),
    [
        ("DE", "eu"),
        ("CH", "eu"),
        ("GI", "uk"),
        ("CA", "ca"),
        ("PR", "us"),
        ("UA", None),
        ("001", None),
        (None, None),
    ],
)
def test_a_country_says_whose_law(country: str | None, region: str | None) -> None:
    assert region_of_country(country) == region


def test_the_more_protective_of_two_laws_holds_and_is_named() -> None:
    americans = OwnRule("us")
    assert judged(americans, None, [], NOW).channels == EMAIL
    assert judged(americans, "us", [], NOW).channels == EMAIL
    refused = judged(americans, "eu", [], NOW)
    assert (refused.refused, refused.region) == (NOBODY, "eu")
    assert "GDPR" in explained(refused.region, NOBODY)
    europeans = judged(OwnRule("eu"), "us", [], NOW)
    assert (europeans.refused, europeans.region) == (NOBODY, "eu"), "another's laxer law loosens nothing"
    assert judged(OwnRule("eu", known=True), "ca", [], NOW).region == "ca", (
        "which knows no customers of one's own"
    )


def _consent(
    contact_id: UUID, consent_id: UUID, state: str = "granted", purpose: str = "marketing"
) -> ConsentChanged:
    return ConsentChanged(
        consent_id=consent_id,
        contact_id=contact_id,
        channel="any",
        purpose=purpose,
        state=state,
        legal_basis="consent",
        source="form",
        evidence=None,
        said_at=NOW,
    )


def test_where_a_zone_says_nothing_a_number_does() -> None:
    org, contact = new_id(), new_id()
    known = Known(OwnRule("us"))
    known.people[org, contact].lives_in = "eu"
    assert known.verdict(org, contact, NOW).refused == NOBODY
    assert known.verdict(org, contact, NOW, time_zone="America/Sao_Paulo").refused == NOBODY
    assert known.verdict(org, contact, NOW, time_zone="America/Chicago").channels == EMAIL
    assert known.verdict(org, None, NOW).channels == EMAIL
    assert known.verdict(new_id(), contact, NOW).channels == EMAIL, "another organization's is another person"


def test_what_was_said_last_counts_in_whatever_order_it_is_heard() -> None:
    org, contact, consent = new_id(), new_id(), new_id()
    known = Known(OwnRule("eu"))
    known.hear(org, _consent(contact, new_id(), purpose="service"), 1)
    assert known.verdict(org, contact, NOW).refused == NOBODY
    known.hear(org, _consent(contact, consent), 2)
    assert known.verdict(org, contact, NOW).channels == ALL
    known.hear(org, _consent(contact, consent, "withdrawn"), 3)
    known.hear(org, _consent(contact, consent), 2)
    assert known.verdict(org, contact, NOW).refused == "withdrawn"

"""When a host can be booked, without servers: hours on their clock, in spring and in autumn too."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla_crm.domain.availability import Host, Window, by_turns, free
from flotilla_crm.domain.bookings import when_text

EVER = datetime(2026, 1, 1, tzinfo=UTC)


def host(*windows: Window, id_: int = 1, **fields: Any) -> Host:
    given: dict[str, Any] = {
        "time_zone": "Europe/Berlin",
        "hours": windows,
        "length_minutes": 60,
        "buffer_minutes": 0,
        "notice_minutes": 0,
    }
    return Host(id=UUID(int=id_), **given | fields)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots(of: Host, begin: str, end: str, now: datetime = EVER) -> list[str]:
    return [f"{slot:%m-%dT%H:%M}" for slot in of.slots(at(begin), at(end), now)]


EARLY = (Window(7, "01:00", "04:00"),)


@pytest.mark.parametrize(
    ("day", "offered"),
    [
        # 01:00 to 04:00 in Berlin: three hours, two where the clock skips one, four where one comes twice.
        ("2026-03-22", ["03-22T00:00", "03-22T01:00", "03-22T02:00"]),
        ("2026-03-29", ["03-29T00:00", "03-29T01:00"]),
        ("2026-10-25", ["10-24T23:00", "10-25T00:00", "10-25T01:00", "10-25T02:00"]),
    ],
)
def test_hours_are_the_hosts_own_on_days_when_the_clock_changes(day: str, offered: list[str]) -> None:
    before = (at(day) - timedelta(hours=3)).isoformat()[:19]
    assert slots(host(*EARLY), before, day + "T12:00") == offered


def test_the_same_hour_of_the_clock_is_another_in_summer() -> None:
    mondays = host(Window(1, "09:00", "10:00"))
    assert slots(mondays, "2026-03-23T00:00", "2026-04-01T00:00") == ["03-23T08:00", "03-30T07:00"]


def test_an_hour_that_is_left_out_comes_after_the_gap() -> None:
    gap = host(Window(7, "02:30", "05:00"))
    assert slots(gap, "2026-03-29T00:00", "2026-03-29T12:00") == ["03-29T01:30"]


def test_days_far_from_utc_are_the_hosts() -> None:
    auckland = host(Window(1, "08:00", "09:00"), time_zone="Pacific/Auckland")
    assert slots(auckland, "2026-06-07T00:00", "2026-06-08T00:00") == ["06-07T20:00"]
    honolulu = host(Window(7, "20:00", "24:00"), time_zone="Pacific/Honolulu", length_minutes=240)
    assert slots(honolulu, "2026-06-08T00:00", "2026-06-09T00:00") == ["06-08T06:00"]


def test_a_pause_comes_after_each_and_the_last_ends_in_time() -> None:
    paused = host(Window(1, "09:00", "12:00"), buffer_minutes=30, time_zone="UTC")
    assert slots(paused, "2026-06-08T00:00", "2026-06-09T00:00") == ["06-08T09:00", "06-08T10:30"]


def test_notice_is_kept() -> None:
    noticed = host(Window(1, "09:00", "12:00"), notice_minutes=90, time_zone="UTC")
    now = at("2026-06-08T08:45")
    assert slots(noticed, "2026-06-08T00:00", "2026-06-09T00:00", now) == ["06-08T11:00"]
    assert not noticed.offers(at("2026-06-08T10:00"), now)
    assert noticed.offers(at("2026-06-08T11:00"), now)
    assert not noticed.offers(at("2026-06-08T11:15"), now)


def test_what_is_free_of_several_hosts() -> None:
    one = host(Window(1, "09:00", "11:00"), time_zone="UTC")
    other = host(Window(1, "10:00", "12:00"), time_zone="UTC", id_=2)
    # Two holds of one that is being moved overlap.
    taken = [
        (at("2026-06-08T08:00"), at("2026-06-08T09:30")),
        (at("2026-06-08T08:30"), at("2026-06-08T08:45")),
    ]
    begin, end = at("2026-06-08T00:00"), at("2026-06-09T00:00")
    found = free([one, other], {one.id: taken}, begin, end, EVER)
    assert [(f"{offer.starts_at:%H}", [id_.int for id_ in offer.host_ids]) for offer in found] == [
        ("10", [1, 2]),
        ("11", [2]),
    ]
    edges = [
        (at("2026-06-08T08:00"), at("2026-06-08T09:00")),
        (at("2026-06-08T11:00"), at("2026-06-08T12:00")),
    ]
    assert len(free([one], {one.id: edges}, begin, end, EVER)) == 2


def test_whoever_was_booked_longest_ago_is_asked_first() -> None:
    turns = [host(id_=1, last_booked_at=EVER + timedelta(1)), host(id_=2, last_booked_at=EVER), host(id_=3)]
    assert [each.id.int for each in by_turns(turns)] == [3, 2, 1]


def test_times_are_told_on_the_hosts_clock() -> None:
    begin = datetime(2026, 11, 24, 9, tzinfo=UTC)
    text = when_text(begin, begin + timedelta(minutes=30), "Europe/Berlin")
    assert text == "Tuesday 24 November 2026, 10:00 to 10:30 (Europe/Berlin)"

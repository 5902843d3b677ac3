"""Identifiers: sortable by time, and the same for the same outside thing."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from flotilla.ids import derived_id, first_id_at, new_id, time_of
from hypothesis import given
from hypothesis import strategies as st

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2500, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC))
NAME = ("telegram", "bot", "chat", "17")


def test_fresh_ids_are_version_7_and_sort_as_they_were_made() -> None:
    ids = [new_id() for _ in range(2000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {(id_.version, id_.variant) for id_ in ids} == {(7, RFC_4122)}
    assert first_id_at(datetime.now(UTC) - timedelta(seconds=5)) < ids[0]
    assert ids[-1] < first_id_at(datetime.now(UTC) + timedelta(seconds=5))


def test_ids_say_their_time() -> None:
    assert abs(time_of(new_id()) - datetime.now(UTC)) < timedelta(seconds=5)
    assert time_of(derived_id(LAST, *NAME)) == LAST
    assert time_of(UUID(int=(1 << 128) - 1)).year == 9999


def test_a_derived_id_is_what_it_was_in_the_first_release() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert derived_id(moment, *NAME) == UUID("019b7ca9-8f2e-88f7-b2c3-d95dd936beac")


@given(MOMENTS, st.lists(st.text(), min_size=1, max_size=4))
def test_derived_ids_are_stable_and_well_formed(moment: datetime, name: list[str]) -> None:
    id_ = derived_id(moment, *name)
    assert id_ == derived_id(moment, *name)
    assert (id_.version, id_.variant) == (8, RFC_4122)
    assert first_id_at(moment) <= id_ < first_id_at(moment + timedelta(milliseconds=1))


@given(MOMENTS, MOMENTS)
def test_derived_ids_sort_by_time(one: datetime, other: datetime) -> None:
    if abs(one - other) > timedelta(milliseconds=1):
        assert (derived_id(one, *NAME) < derived_id(other, *NAME)) == (one < other)


def test_another_name_is_another_id() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    names = [NAME, NAME[:3], ("telegram", "bot", "chat1", "7"), ("telegram", "botchat", "17"), NAME[::-1]]
    assert len({derived_id(moment, *name) for name in names}) == len(names)

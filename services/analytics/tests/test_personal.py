"""Dividing an event's data and uniting it again loses nothing, and keeps nothing personal in the clear."""

from typing import Any

import msgspec
import pytest
from flotilla.events.messaging import MessageReceived
from flotilla.ids import new_id
from flotilla_analytics.domain.personal import divide, unite
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.tests.conftest import Events

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["name", "email", "tags", "changed", "contact_id", "identity_id", "invented", "text"])
types = st.sampled_from(
    ["contact.updated.v1", "message.received.v1", "company.created.v1", "unknown.happened.v1"]
)


@given(types, st.dictionaries(names, json))
def test_united_is_what_was_divided(type_: str, fields: dict[str, Any]) -> None:
    parts = divide(type_, msgspec.json.encode(fields))
    public = None if parts.public is None else msgspec.json.decode(parts.public)
    assert unite(public, parts.personal) == fields


@given(types, st.binary(max_size=60))
def test_no_bytes_make_it_fail(type_: str, data: bytes) -> None:
    parts = divide(type_, data)
    united = unite(None if parts.public is None else msgspec.json.decode(parts.public), parts.personal)
    assert isinstance(united, dict)


@given(st.dictionaries(names, st.just("Ada Lovelace") | st.just({"name": ["Ada Lovelace", None]})))
def test_only_what_the_contract_calls_public_stands_in_the_clear(fields: dict[str, Any]) -> None:
    parts = divide("contact.updated.v1", msgspec.json.encode(fields))
    public = msgspec.json.decode(parts.public or b"{}")
    for name in ("name", "email", "invented", "identity_id"):
        assert public.get(name) is None
    assert "Lovelace" not in str(public.get("changed"))


@pytest.mark.parametrize(
    ("type_", "fields", "person"),
    [
        ("message.received.v1", {"contact_id": "c", "identity_id": "i"}, "contact:c"),
        ("message.received.v1", {"contact_id": None, "identity_id": "i"}, "identity:i"),
        ("message.received.v1", {}, "organization"),
        ("deal.updated.v1", {"contact_id": None, "deal_id": "d", "changed": {"title": ["a", "b"]}}, "deal:d"),
        (
            "deal.updated.v1",
            {"contact_id": None, "deal_id": "d", "changed": {"contact_id": ["c", None]}},
            "contact:c",
        ),
        (
            "deal.updated.v1",
            {"contact_id": "e", "deal_id": "d", "changed": {"contact_id": ["c", "e"]}},
            "contact:e",
        ),
        ("deal.updated.v1", {"contact_id": None, "deal_id": "d", "changed": {"contact_id": []}}, "deal:d"),
        ("deal.updated.v1", {"contact_id": None, "deal_id": "d", "changed": "?"}, "deal:d"),
        ("company.created.v1", {"contact_id": "c"}, "organization"),
        ("survey.answered.v1", {"contact_id": None, "send_id": "s"}, "send:s"),
        ("quality.reviewed.v1", {"agent_id": "a", "reviewer_id": "r"}, "user:a"),
        ("unknown.happened.v1", {"identity_id": "i", "user_id": "u"}, "identity:i"),
        ("unknown.happened.v1", {"name": "Ada"}, "organization"),
    ],
)
def test_whose_it_is(type_: str, fields: dict[str, Any], person: str) -> None:
    assert divide(type_, msgspec.json.encode(fields)).person == person


def test_an_erased_event_still_fits_its_contract(events: Events) -> None:
    data = events.received(identity_id=new_id())
    parts = divide("message.received.v1", msgspec.json.encode(data))
    assert parts.public is not None
    erased = unite(msgspec.json.decode(parts.public), None)
    assert msgspec.convert(erased, MessageReceived).text is None

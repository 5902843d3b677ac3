"""Events on the wire: CloudEvents 1.0, at most 64 KiB, and what is none is refused."""

from datetime import datetime
from uuid import UUID

import msgspec
import pytest
from flotilla.bus.envelope import EventTooLargeError, decode, encode, receive
from flotilla.cause import Cause
from flotilla.events.base import CONTRACTS, MAX_EVENT_BYTES
from flotilla.events.crm import NoteCreated, TaskCreated
from flotilla.ids import new_id

from libs.common.tests.bus.samples import task

REQUIRED = {"id", "source", "specversion", "type"}


def cause() -> Cause:
    return Cause(new_id(), new_id(), new_id(), "user:1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")


def test_every_attribute_that_cloudevents_requires_is_there() -> None:
    event = encode(each := task(), org=new_id(), sequence=7, cause=cause(), region="eu", audience="org")
    wire = msgspec.json.decode(event.body)
    assert set(wire) >= REQUIRED | {"subject", "time", "dataschema", "data", "region", "organizationid"}
    assert (wire["specversion"], wire["type"], wire["source"]) == ("1.0", "task.created.v1", "/flotilla/crm")
    assert wire["subject"] == str(each.task_id)
    assert wire["sequence"] == "00000000000000000007"
    assert UUID(wire["id"]).version == 7
    assert datetime.fromisoformat(wire["time"]).utcoffset() is not None
    names = set(wire) - {"data"}
    assert all(name.isascii() and name.isalnum() and name.islower() for name in names), "section 3.1"
    assert len(names) < 20


def test_what_comes_in_is_what_went_out_and_names_what_it_may_cause() -> None:
    why, each, org = cause(), task(), new_id()
    event = encode(each, org=org, sequence=3, cause=why, region="eu")
    received = receive(decode(event.body), CONTRACTS[event.type])
    assert (received.data, received.org, received.sequence, received.id) == (each, org, 3, event.id)
    assert received.cause == Cause(
        why.correlation_id, event.id, why.request_id, why.actor, why.traceparent
    ), "its effects are caused by it"
    assert received.envelope.causationid == why.causation_id


def test_a_fixed_id_makes_the_same_event() -> None:
    id_ = new_id()
    assert encode(task(), org=new_id(), sequence=1, cause=cause(), region="eu", event_id=id_).id == id_


def test_64_kib_is_the_limit_of_the_whole_event() -> None:
    empty = len(encode(task(""), org=new_id(), sequence=1, cause=cause(), region="eu").body)
    room = MAX_EVENT_BYTES - empty
    fits = encode(task("x" * room), org=new_id(), sequence=1, cause=cause(), region="eu")
    assert len(fits.body) == MAX_EVENT_BYTES == 65_536
    with pytest.raises(EventTooLargeError, match=r"task\.created"):
        encode(task("x" * (room + 1)), org=new_id(), sequence=1, cause=cause(), region="eu")
    with pytest.raises(EventTooLargeError):
        encode(task("ї" * room), org=new_id(), sequence=1, cause=cause(), region="eu")


@pytest.mark.parametrize(
    "missing", ["id", "source", "type", "subject", "time", "organizationid", "sequence", "data"]
)
def test_an_event_without_a_needed_attribute_is_none(missing: str) -> None:
    wire = msgspec.json.decode(encode(task(), org=new_id(), sequence=1, cause=cause(), region="eu").body)
    del wire[missing]
    with pytest.raises(msgspec.DecodeError):
        decode(msgspec.json.encode(wire))


def test_another_version_of_cloudevents_is_refused() -> None:
    body = encode(task(), org=new_id(), sequence=1, cause=cause(), region="eu").body
    with pytest.raises(msgspec.DecodeError):
        decode(body.replace(b'"specversion":"1.0"', b'"specversion":"0.3"'))


def test_fields_of_a_later_contract_are_passed_over_and_missing_ones_are_not() -> None:
    body = encode(task(), org=new_id(), sequence=1, cause=cause(), region="eu").body
    grown = decode(body.replace(b'"title"', b'"colour":"red","title"'))
    assert isinstance(receive(grown, CONTRACTS["task.created.v1"]).data, TaskCreated)
    with pytest.raises(msgspec.ValidationError):
        receive(decode(body), CONTRACTS["note.created.v1"])
    assert CONTRACTS["note.created.v1"].data is NoteCreated

"""Each contract's schema says of the wire exactly what the struct does."""

import json
from typing import Any
from uuid import UUID, uuid4

import jsonschema_rs
import msgspec
import pytest
from flotilla.bus.envelope import decode, encode, receive
from flotilla.cause import Cause
from flotilla.events import CONTRACTS, Contract
from flotilla.events.schema import envelope_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.structs import instances

ORG = UUID("0199d4e2-7a1c-7c3e-9b1f-5d2a6c0e41f7")
ALL = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)


def validator(contract: Contract) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(envelope_schema(contract), validate_formats=True)


def wire(contract: Contract, data: Any, **said: Any) -> bytes:
    cause = Cause(correlation_id=uuid4(), **said)
    return encode(data, org=ORG, sequence=7, cause=cause, region="eu", audience="org").body


@ALL
def test_a_schema_is_itself_valid_and_so_is_its_example(contract: Contract) -> None:
    schema = envelope_schema(contract)
    jsonschema_rs.meta.validate(schema)
    (example,) = schema["examples"]
    validator(contract).validate(example)
    received = receive(decode(msgspec.json.encode(example)), contract)
    assert received.subject == str(getattr(received.data, contract.subject))


@ALL
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_whatever_the_struct_can_say_fits_the_schema_and_comes_back(
    contract: Contract, data: st.DataObject
) -> None:
    event = data.draw(instances(contract.data))
    body = wire(contract, event, causation_id=uuid4(), request_id=uuid4(), actor="ai:sales")
    validator(contract).validate(json.loads(body))
    assert receive(decode(body), contract).data == event


@ALL
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_an_erased_person_leaves_a_valid_event(contract: Contract, data: st.DataObject) -> None:
    event = data.draw(instances(contract.data))
    erased = msgspec.structs.replace(event, changed={}, **dict.fromkeys(contract.personal_fields))
    body = wire(contract, erased)
    validator(contract).validate(json.loads(body))
    assert receive(decode(body), contract).data == erased


@ALL
def test_a_schema_refuses_what_the_struct_refuses(contract: Contract) -> None:
    check = validator(contract)
    example = envelope_schema(contract)["examples"][0]
    for attribute in ("id", "source", "type", "subject", "time", "specversion", "organizationid", "data"):
        assert not check.is_valid({name: value for name, value in example.items() if name != attribute})
    assert not check.is_valid(example | {"type": "other.happened.v1"})
    assert not check.is_valid(example | {"sequence": "7"})
    assert not check.is_valid(example | {"time": "2026-01-15T09:30:00"})
    assert not check.is_valid(example | {"specversion": "0.3"})
    for field in envelope_schema(contract)["properties"]["data"]["required"]:
        lacking = {name: value for name, value in example["data"].items() if name != field}
        assert not check.is_valid(example | {"data": lacking})
        with pytest.raises(msgspec.ValidationError):
            receive(decode(msgspec.json.encode(example | {"data": lacking})), contract)


@ALL
def test_a_field_that_came_later_is_no_error(contract: Contract) -> None:
    example = envelope_schema(contract)["examples"][0]
    example["data"]["said_in_a_later_release"] = 1
    validator(contract).validate(example)
    receive(decode(msgspec.json.encode(example)), contract)


def test_personal_fields_and_their_old_values_are_marked() -> None:
    data = envelope_schema(CONTRACTS["contact.updated.v1"])["properties"]["data"]["properties"]
    marked = {name for name, field in data.items() if field.get("x-personal-data")}
    assert marked == {"name", "email", "phone"}
    assert {name for name, old in data["changed"]["properties"].items() if old["x-personal-data"]} == marked


def test_fields_carry_their_docstrings() -> None:
    data = envelope_schema(CONTRACTS["message.received.v1"])["properties"]["data"]["properties"]
    assert data["position"]["description"] == "From 1, without gaps, in its conversation."

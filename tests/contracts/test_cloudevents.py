"""The envelope, read by CloudEvents' own library, which checks attributes and their names."""

from typing import Any
from uuid import uuid4

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from flotilla.bus.envelope import encode
from flotilla.cause import Cause
from flotilla.events import CONTRACTS, Contract
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.structs import instances


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
@given(data=st.data())
@settings(max_examples=2, deadline=None)
def test_an_event_is_a_cloud_event(contract: Contract, data: st.DataObject) -> None:
    cause = Cause(
        correlation_id=uuid4(),
        causation_id=uuid4(),
        request_id=uuid4(),
        actor="user:1",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    event: Any = data.draw(instances(contract.data))
    out = encode(event, org=uuid4(), sequence=3, cause=cause, region="eu", audience="org")
    assert b'"specversion":"1.0"' in out.body
    read = JSONFormat().read(CloudEvent, out.body)
    assert (read.get_id(), read.get_type(), read.get_source()) == (str(out.id), out.type, contract.source)
    assert read.get_extension("sequence") == "00000000000000000003"
    assert read.get_subject() == str(getattr(event, contract.subject))

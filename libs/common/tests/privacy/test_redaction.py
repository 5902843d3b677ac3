"""Events without what is personal: still events of their contract; and whom tombstones cover."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from flotilla.bus.declare import projection, reaction
from flotilla.bus.envelope import Received, decode, encode, receive
from flotilla.cause import Cause
from flotilla.events.base import CONTRACTS
from flotilla.events.crm import ContactCreated
from flotilla.events.pipeline import DealUpdated
from flotilla.events.privacy import ErasureRequested
from flotilla.ids import new_id
from flotilla.privacy.redaction import body_without_personal, without_personal
from flotilla.privacy.tombstones import Tombstones
from flotilla.store.postgres import Transaction

ORG = new_id()


@projection(ContactCreated, lane="x", not_rebuilt="a test")
async def keep(tx: Transaction, batch: Any) -> None:
    """A projection."""


@reaction(ContactCreated, lane="x")
async def react(tx: Transaction, batch: Any) -> None:
    """A reaction."""


def _received(data: Any, org: UUID = ORG, **cause: Any) -> Received[Any]:
    body = encode(data, org=org, sequence=1, cause=Cause(correlation_id=new_id(), **cause), region="eu").body
    envelope = decode(body)
    return receive(envelope, CONTRACTS[envelope.type])


def _tombstones(org: UUID, id_: UUID, until: datetime | None = None) -> Tombstones:
    found = Tombstones()
    found._until = {(org, id_): until}
    return found


def _contact(contact_id: UUID) -> ContactCreated:
    return ContactCreated(
        contact_id=contact_id,
        name="Wilhelmina",
        email="w@example.org",
        phone=None,
        language=None,
        company_id=None,
        owner_id=None,
        tags=[],
        source="manual",
        changed={"name": [None, "Wilhelmina"]},
    )


def _asked() -> ErasureRequested:
    return ErasureRequested(
        request_id=new_id(),
        kind="organization",
        contact_ids=[],
        identity_ids=[],
        user_ids=[],
        services=["crm"],
        attempt=1,
        asked_at=datetime.now(UTC),
    )


def test_personal_fields_are_null_also_in_what_changed_and_on_the_wire() -> None:
    event = _received(_contact(new_id()))
    without = without_personal(event)
    assert isinstance(without.data, ContactCreated)
    assert isinstance(event.data, ContactCreated)
    assert (without.data.name, without.data.email) == (None, None)
    assert without.data.contact_id == event.data.contact_id
    assert without.data.changed == {"name": [None, None]}
    assert b"Wilhelmina" not in bytes(without.envelope.data)
    body = body_without_personal(msgspec.json.encode(event.envelope))
    assert body is not None
    assert b"Wilhelmina" not in body
    assert receive(decode(body), CONTRACTS[event.envelope.type]).data == without.data
    assert body_without_personal(b"\xff") is None
    assert body_without_personal(b'{"type": "nobody.knows.v1", "data": {}}') is None


def test_projections_are_given_the_rest_and_reactions_nothing_but_answers() -> None:
    contact = new_id()
    event, other = _received(_contact(contact)), _received(_contact(new_id()))
    forgotten = _tombstones(ORG, contact)
    first, second = (each.data for each in forgotten.spare(keep, [event, other]))
    assert isinstance(first, ContactCreated)
    assert isinstance(second, ContactCreated)
    assert (first.name, second.name) == (None, "Wilhelmina")
    assert forgotten.spare(react, [event, other]) == [other]
    [answer] = forgotten.spare(react, [_received(_contact(contact), request_id=new_id())])
    assert isinstance(answer.data, ContactCreated)
    assert answer.data.name is None
    elsewhere = _received(_contact(contact), org=new_id())
    assert forgotten.spare(react, [elsewhere]) == [elsewhere]


def test_who_may_write_again_is_covered_up_to_their_request() -> None:
    contact = new_id()
    event = _received(_contact(contact))
    assert _tombstones(ORG, contact, datetime.now(UTC) + timedelta(seconds=5)).cover(event)
    assert not _tombstones(ORG, contact, datetime.now(UTC) - timedelta(seconds=5)).cover(event)


def test_what_was_somebodys_until_this_event_speaks_of_them() -> None:
    contact = new_id()
    empty: dict[str, Any] = dict.fromkeys(
        ("value", "company_id", "conversation_id", "owner_id", "expected_close_on", "loss_reason")
    )
    deal = DealUpdated(
        **empty,
        deal_id=new_id(),
        pipeline_id=new_id(),
        stage_id=new_id(),
        title="Kettles for Wilhelmina",
        state="open",
        probability=10,
        contact_id=None,
        source="manual",
        entered_stage_at=datetime.now(UTC),
        created_at=datetime.now(UTC),
        ended_at=None,
    )
    let_go = msgspec.structs.replace(deal, changed={"contact_id": [contact, None]})
    assert _tombstones(ORG, contact).cover(_received(let_go))
    assert not _tombstones(ORG, contact).cover(_received(deal))
    taken = msgspec.structs.replace(deal, changed={"contact_id": [None, None]})
    assert not _tombstones(ORG, contact).cover(_received(taken))


def test_an_erased_organization_is_covered_but_for_what_is_said_of_the_erasure() -> None:
    whole = _tombstones(ORG, ORG)
    assert whole.cover(_received(_contact(new_id())))
    assert not whole.cover(_received(_asked()))


def test_of_an_erased_organization_nothing_comes_to_anybody() -> None:
    late, answer = _received(_contact(new_id())), _received(_contact(new_id()), request_id=new_id())
    elsewhere = _received(_contact(new_id()), org=new_id())
    whole = _tombstones(ORG, ORG)
    for handler in (keep, react):
        assert whole.spare(handler, [late, answer, elsewhere]) == [elsewhere]

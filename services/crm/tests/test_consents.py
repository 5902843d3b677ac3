"""Consent over HTTP: as it stands, as it was said, and through merges."""

from typing import Any
from uuid import UUID

import pytest
from flotilla.events.crm import ConsentChanged
from flotilla.ids import new_id
from flotilla.testing import Harness

Json = dict[str, Any]
EMAIL = {"channel": "email", "purpose": "marketing", "state": "granted", "source": "form"}
NO_EMAIL = {**EMAIL, "state": "withdrawn", "source": "message"}


async def _contact(crm: Harness, org: UUID) -> str:
    return str((await crm.client(org).post("/v1/contacts", {"name": "Zoë"})).json()["id"])


async def _said(crm: Harness, org: UUID, contact: str, body: Json) -> Json:
    answer = await crm.client(org).post(f"/v1/contacts/{contact}/consents", body)
    assert answer.status == 201, answer.body
    found: Json = answer.json()
    return found


async def _stands(crm: Harness, org: UUID, contact: str) -> dict[tuple[str, str], str]:
    items = (await crm.client(org).get(f"/v1/contacts/{contact}/consents")).json()["items"]
    return {(each["purpose"], each["channel"]): each["state"] for each in items}


async def test_what_was_said_last_stands_and_all_of_it_is_kept(crm: Harness, org: UUID) -> None:
    contact = await _contact(crm, org)
    given = {**EMAIL, "evidence": "form 7", "said_at": "2026-05-01T10:00:00Z"}
    first = await _said(crm, org, contact, given)
    assert (first["state"], first["legal_basis"], first["evidence"]) == ("granted", "consent", "form 7")
    assert (await _said(crm, org, contact, NO_EMAIL))["state"] == "withdrawn"
    late = {**EMAIL, "said_at": "2026-05-02T10:00:00Z"}
    assert (await _said(crm, org, contact, late))["state"] == "withdrawn"
    await _said(crm, org, contact, {**EMAIL, "purpose": "analytics", "channel": "any"})
    assert await _stands(crm, org, contact) == {
        ("analytics", "any"): "granted",
        ("marketing", "email"): "withdrawn",
    }
    path = f"/v1/contacts/{contact}/consent-records"
    records = (await crm.client(org).get(path)).json()["items"]
    assert [each["state"] for each in records] == ["granted", "granted", "withdrawn", "granted"]
    told = await crm.spy.expect(ConsentChanged, lambda event: event.org == org and event.sequence == 2)
    assert told.data.changed == {"state": ["granted", "withdrawn"]}
    await crm.app.relay.drained(5)
    assert len(crm.spy.of(ConsentChanged, org)) == 3, "what came late is told of to nobody"


async def test_in_a_merge_the_stricter_holds_and_an_undo_gives_back(crm: Harness, org: UUID) -> None:
    winner, loser = await _contact(crm, org), await _contact(crm, org)
    sms = {**EMAIL, "channel": "sms"}
    for contact, body in ((winner, EMAIL), (loser, NO_EMAIL), (loser, sms)):
        await _said(crm, org, contact, body)
    answer = await crm.client(org).post(f"/v1/contacts/{winner}/merges", {"contact_id": loser})
    assert answer.status == 201, answer.body
    both = {("marketing", "email"): "withdrawn", ("marketing", "sms"): "granted"}
    assert await _stands(crm, org, winner) == both
    told = await crm.spy.expect(
        ConsentChanged, lambda event: event.org == org and event.data.source == "merge"
    )
    assert (str(told.data.contact_id), told.data.state) == (winner, "withdrawn")
    undone = await crm.client(org).post(f"/v1/contact-merges/{answer.json()['id']}/undo")
    assert undone.status == 200, undone.body
    assert await _stands(crm, org, loser) == both
    assert await _stands(crm, org, winner) == {("marketing", "email"): "withdrawn"}
    records = (await crm.client(org).get(f"/v1/contacts/{winner}/consent-records")).json()["items"]
    assert [each["state"] for each in records] == ["granted"]


@pytest.mark.parametrize(
    "body",
    [
        {**EMAIL, "state": "maybe"},
        {**EMAIL, "source": "merge"},
        {**EMAIL, "channel": "pigeon"},
        {**EMAIL, "said_at": "2026-05-01T10:00:00"},
        {**EMAIL, "evidence": "\u0000"},
        {"channel": "email"},
    ],
)
async def test_what_is_no_consent(crm: Harness, org: UUID, body: Json) -> None:
    contact = await _contact(crm, org)
    assert (await crm.client(org).post(f"/v1/contacts/{contact}/consents", body)).status == 422


async def test_of_nobody_there_is_none(crm: Harness, org: UUID) -> None:
    contact = await _contact(crm, org)
    for path in (f"/v1/contacts/{new_id()}/consents", f"/v1/contacts/{new_id()}/consent-records"):
        assert (await crm.client(org).get(path)).status == 404
    assert (await crm.client(new_id()).post(f"/v1/contacts/{contact}/consents", EMAIL)).status == 404
    assert (
        await crm.client(org, role="viewer").post(f"/v1/contacts/{contact}/consents", EMAIL)
    ).status == 403

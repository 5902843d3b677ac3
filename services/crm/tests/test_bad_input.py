"""Bad input at the door: a problem that says what to do, and never a failure of ours."""

import base64
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flotilla.events.crm import ContactIdentified
from flotilla.events.integrations import SenderProfile
from flotilla.ids import new_id
from flotilla.testing import Harness

from services.crm.tests.conftest import received

ID = b"00000000-0000-7000-8000-000000000000"


def _cursor(*key: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/contacts?q=%00",
        "/v1/contacts?q=",
        "/v1/contacts?q=" + "x" * 101,
        "/v1/contacts?tag=%00",
        "/v1/contacts?owner_id=me",
        "/v1/contacts?limit=0",
        "/v1/contacts?limit=1000000",
        "/v1/contacts?cursor=" + _cursor("x"),
        "/v1/contacts?cursor=" + _cursor(),
        "/v1/contacts?cursor=" + _cursor({"a": 1}),
        "/v1/contacts?q=a&cursor=" + _cursor("many", str(UUID(int=0))),
        "/v1/companies?domain=nowhere",
        "/v1/companies?domain=" + "ü" * 80,
        "/v1/tasks?state=perhaps",
        "/v1/tasks?cursor=" + _cursor("2026-01-01T00:00:00", str(UUID(int=0))),
        "/v1/tasks?cursor=" + _cursor("then", str(UUID(int=0))),
        "/v1/contacts/7",
        "/v1/leads?status=maybe",
        "/v1/leads?source=%00",
        "/v1/leads?cursor=" + _cursor(101, str(UUID(int=0))),
        "/v1/leads?cursor=" + _cursor(2**70, str(UUID(int=0))),
        "/v1/bookings?from=now",
        "/v1/bookings?cursor=" + _cursor("2026-01-01T00:00:00", str(UUID(int=0))),
        "/v1/bookings/slots",
        "/v1/bookings/slots?from=2030-01-01T00:00:00&to=2030-01-02T00:00:00Z",
        "/v1/bookings/slots?from=2030-01-01T00:00:00Z&to=2030-01-02T00:00:00Z&host_id=me",
        "/v1/bookings/slots?from=2030-01-01T00:00:00Z&to=2030-01-02T00:00:00Z&cursor=" + _cursor("x", "y"),
        "/v1/bookings/hosts/me",
    ],
)
async def test_queries(crm: Harness, org: UUID, path: str) -> None:
    answer = await crm.client(org).get(path)
    assert answer.status == 422, answer.body
    assert answer.json()["type"] == "/problems/invalid"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/contacts", b""),
        ("/v1/contacts", b"{"),
        ("/v1/contacts", b"[]"),
        ("/v1/contacts", b"null"),
        ("/v1/contacts", b'{"name": "\xff"}'),
        ("/v1/contacts", b'{"name": "\\ud800"}'),
        ("/v1/contacts", b'{"custom_fields": {"a": NaN}}'),
        ("/v1/contacts", b'{"custom_fields": {"a": 1e999}}'),
        ("/v1/contacts", b'{"custom_fields": {"a": {}}}'),
        ("/v1/contacts", b'{"tags": null}'),
        ("/v1/contacts", b'{"email": "a@\xc3\xbc"}'),
        ("/v1/companies", b'{"name": "\\u0000"}'),
        ("/v1/companies", b'{"name": "A", "domain": "a\\u0000.example"}'),
        ("/v1/tasks", b'{"title": "A", "due_at": "0001-01-01T00:00:00+14:00"}'),
        ("/v1/tasks", b'{"title": "A", "due_at": "9999-12-31T23:59:59-14:00"}'),
        ("/v1/tasks", b'{"title": "A", "due_at": 1e300}'),
        ("/v1/tasks", b'{"title": "A\\nB"}'),
        ("/v1/bookings", b'{"contact_id": "%s", "starts_at": "2030-01-01T00:00:00"}' % ID),
        ("/v1/bookings", b'{"contact_id": "%s", "starts_at": "9999-12-31T23:59:59-14:00"}' % ID),
        (
            "/v1/bookings",
            b'{"contact_id": "%s", "starts_at": "2030-01-01T00:00:00Z", "title": "\\u0000"}' % ID,
        ),
        ("/v1/bookings", b'{"contact_id": "%s", "starts_at": "2030-01-01T00:00:00Z", "host_ids": [7]}' % ID),
        ("/v1/bookings", b'{"contact_id": "%s", "starts_at": "2030-01-01T00:00:00Z"}' % ID),
        ("/v1/notes", b'{"text": "\\u0007", "contact_id": "00000000-0000-0000-0000-000000000000"}'),
    ],
)
async def test_bodies(crm: Harness, org: UUID, path: str, body: bytes) -> None:
    client = crm.client(org)
    answer = await client.post(path, body=body)
    assert answer.status in (400, 422), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await client.get(path)).json()["items"] == []


async def test_numbers_of_any_size_are_kept_or_refused(crm: Harness, org: UUID) -> None:
    for number in (2**53, -(2**53), 2**53 + 1, 10**30, 10**300, 0.1):
        answer = await crm.client(org).post("/v1/contacts", {}, body=None)
        assert answer.status == 201
        patched = await crm.client(org).patch(
            f"/v1/contacts/{answer.json()['id']}", body=f'{{"custom_fields": {{"n": {number}}}}}'.encode()
        )
        assert patched.status in (200, 422), patched.body


async def test_a_channel_that_says_nonsense_of_a_sender_parks_nothing(crm: Harness, org: UUID) -> None:
    sender = SenderProfile(
        address="47\x0011", name="\x00" * 5, username="x" * 5000, phone="++", email="@", language="\x00"
    )
    identity = new_id()
    await crm.publish(received(identity, sender=sender), org=org)
    identified = await crm.spy.expect(ContactIdentified, lambda event: event.data.identity_id == identity)
    assert identified.data.address == "4711"
    assert (
        await crm.app.db.fetchval("SELECT count(*) FROM parked_events WHERE organization_id = $1", org) == 0
    )

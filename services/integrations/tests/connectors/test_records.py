"""Records of HubSpot: a signed notice, a reading within its time, and what differs is told once."""

import json
import time
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.connectors import ExternalRecordChanged
from flotilla.events.integrations import IntegrationFailed
from flotilla.testing import Harness

from services.integrations.tests.connectors.conftest import Connected, Hooked, hmac_of
from services.integrations.tests.connectors.vendors import Vendors

SECRET = "secret-of-the-app"
PORTAL = 62515


@pytest.fixture
async def crm(connected: Connected) -> dict[str, Any]:
    credentials = {"access_token": "token-of-hubspot", "client_secret": SECRET}
    return await connected("hubspot", {"contact_fields": ["favourite_tea"]}, credentials)


def change(kind: str, object_id: int, occurred_at: int | None = None, portal: int = PORTAL) -> dict[str, Any]:
    """One event of a webhook, as HubSpot documents it."""
    return {
        "eventId": 3816279480,
        "subscriptionId": 22,
        "portalId": portal,
        "appId": 1160452,
        "occurredAt": occurred_at or int(time.time() * 1000),
        "subscriptionType": kind,
        "attemptNumber": 0,
        "objectId": object_id,
        "changeSource": "CRM",
        "propertyName": "email",
        "propertyValue": "sample-value",
    }


def signed(account: dict[str, Any], body: bytes, age_seconds: float = 0) -> dict[str, str]:
    moment = str(int((time.time() - age_seconds) * 1000))
    parts = (b"POST", account["hook_url"].encode(), body, moment.encode())
    return {
        "X-HubSpot-Request-Timestamp": moment,
        "X-HubSpot-Signature-v3": hmac_of(SECRET, *parts),
    }


async def told(service: Harness, org: UUID, external_id: str, what: str) -> ExternalRecordChanged:
    event = await service.spy.expect(
        ExternalRecordChanged,
        lambda event: event.org == org and (event.data.external_id, event.data.what) == (external_id, what),
    )
    return event.data


async def test_what_changes_is_read_and_told_once(
    service: Harness, org: UUID, crm: dict[str, Any], hooked: Hooked, vendors: Vendors
) -> None:
    assert (crm["state"], crm["external_id"]) == ("connected", str(PORTAL))
    vendors.objects["1246965"] = {
        "properties": {"email": "ann@example.com", "favourite_tea": "green", "lastname": None},
        "createdAt": "2026-11-01T10:00:00Z",
        "updatedAt": "2026-11-01T10:00:00Z",
        "archived": False,
    }
    changes = [
        change("contact.creation", 1246965),
        change("contact.propertyChange", 1246965),
        change("contact.propertyChange", 999),  # gone by now
        change("contact.propertyChange", 5, portal=1),  # another portal's
        change("ticket.creation", 7),
    ]
    body = json.dumps(changes).encode()
    assert (await hooked(crm, body, signed(crm, body))).status == 200
    created = await told(service, org, "1246965", "created")
    assert created.fields is not None
    assert (created.fields["email"], created.fields["favourite_tea"]) == ("ann@example.com", "green")
    assert created.changed_fields == ["email", "favourite_tea"]
    assert vendors.reads == [["1246965", "999"]]
    vendors.objects["1246965"]["properties"]["favourite_tea"] = "black"
    vendors.objects["1246965"]["updatedAt"] = "2026-11-02T10:00:00Z"
    for _ in range(2):
        body = json.dumps([change("contact.propertyChange", 1246965)]).encode()
        assert (await hooked(crm, body, signed(crm, body))).status == 200
    updated = await told(service, org, "1246965", "updated")
    assert updated.changed_fields == ["favourite_tea"]
    body = json.dumps([change("contact.deletion", 1246965)]).encode()
    assert (await hooked(crm, body, signed(crm, body))).status == 200
    deleted = await told(service, org, "1246965", "deleted")
    assert deleted.fields is None
    whats = [event.data.what for event in service.spy.of(ExternalRecordChanged, org)]
    assert whats == ["created", "updated", "deleted"]
    async with service.app.db.transaction(org) as tx:
        kept = await tx.fetchval("SELECT string_agg(digests::text, '') FROM external_records")
    assert "ann@" not in kept


async def test_what_is_forged_or_old_is_refused(crm: dict[str, Any], hooked: Hooked) -> None:
    body = json.dumps([change("contact.creation", 1)]).encode()
    right = signed(crm, body)
    assert (await hooked(crm, body + b" ", right)).status == 401
    assert (await hooked(crm, body, signed(crm, body, age_seconds=301))).status == 401
    assert (await hooked(crm, body, right | {"X-HubSpot-Request-Timestamp": "soon"})).status == 401
    assert (await hooked(crm, body, {})).status == 401
    wrong = b'{"not": "a list"}'
    assert (await hooked(crm, wrong, signed(crm, wrong))).status == 422


async def test_a_reading_is_tried_again_and_a_refused_token_fails_the_account(
    service: Harness, org: UUID, crm: dict[str, Any], hooked: Hooked, vendors: Vendors
) -> None:
    vendors.objects["8"] = {"properties": {"dealname": "Mugs"}, "updatedAt": "2026-11-01T10:00:00Z"}
    vendors.statuses = [429, 502]
    body = json.dumps([change("deal.creation", 8)]).encode()
    assert (await hooked(crm, body, signed(crm, body))).status == 200
    assert (await told(service, org, "8", "created")).fields == {
        "dealname": "Mugs",
        "amount": None,
        "dealstage": None,
        "pipeline": None,
        "closedate": None,
    }
    vendors.revoked = True
    body = json.dumps([change("deal.propertyChange", 8)]).encode()
    assert (await hooked(crm, body, signed(crm, body))).status == 200
    failed = await service.spy.expect(IntegrationFailed, lambda event: event.org == org)
    assert failed.data.kind == "crm"

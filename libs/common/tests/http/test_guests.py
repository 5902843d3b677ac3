"""Guests read what a grant names; each time is told to whose things they are, before they see them."""

import time
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flotilla.ids import new_id
from flotilla.security.principal import HEADER, Principal
from flotilla.security.sharing import GRANTABLE, shared
from flotilla.testing import Client, Harness


def _guest(shop: Harness, org: UUID, *permissions: str) -> tuple[Client, Principal]:
    who = Principal(
        org=org,
        user_id=new_id(),
        session_id=new_id(),
        role="viewer",
        grants=dict.fromkeys(permissions, "all"),
        via=new_id(),
        grant_id=new_id(),
        expires_at=int(time.time()) + 600,
    )
    client = shop.client(org)
    return replace(client, headers={HEADER: shop._signer.sign(who)}), who


async def _told(shop: Harness, org: UUID) -> list[dict[str, Any]]:
    """What is written to be published, and nobody publishes here."""
    rows = await shop.app.db.fetch(
        "SELECT body FROM outbox WHERE type = $1 ORDER BY id", "organization.data.read.v1"
    )
    events = [msgspec.json.decode(row["body"]) for row in rows]
    return [event for event in events if event["organizationid"] == str(org)]


async def test_a_read_is_told_to_whose_things_they_are(shop: Harness, org: UUID) -> None:
    made = await shop.client(org).post("/v1/shops", {"name": "Northwind"})
    assert made.status == 201
    guest, who = _guest(shop, org, "companies:read")
    shown = await guest.get("/v1/shops")
    assert [each["name"] for each in shown.json()["items"]] == ["Northwind"]
    (told,) = await _told(shop, org)
    assert told["actor"] == f"user:{who.user_id}"
    assert (told["data"]["grantee_id"], told["data"]["user_id"]) == (str(who.via), str(who.user_id))
    assert (told["data"]["permission"], told["data"]["path"]) == ("companies:read", "/v1/shops")


async def test_a_guest_changes_nothing_whatever_the_token_says(shop: Harness, org: UUID) -> None:
    guest, _ = _guest(shop, org, "companies:read", "companies:write")
    assert (await guest.post("/v1/shops", {"name": "Mine"})).status == 403
    without, _ = _guest(shop, org, "deals:read")
    assert (await without.get("/v1/shops")).status == 403
    assert await _told(shop, org) == [], "what is refused is not read"


@pytest.mark.parametrize("granted", ["contacts:write", "archive:read", "users:read", "events:subscribe"])
def test_what_is_not_for_others_is_never_shared(granted: str) -> None:
    assert granted not in GRANTABLE
    assert shared([granted, "deals:read"], [granted, "deals:read", "notes:read"]) == ("deals:read",)

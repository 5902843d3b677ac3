"""Lists of counterparties and of what was found about one, in every order that they offer."""

from typing import Any
from uuid import UUID

from flotilla.ids import new_id
from flotilla.testing import Client, Harness
from flotilla.testing.orders import NAMES, check_orders

MANY = 5
KNOWN = """
INSERT INTO counterparties (organization_id, id, name, country, monitoring)
VALUES ($1, $2, 'Nobody asks', 'DE', 'none')"""
FOUND = {
    "checks": ("reason, state, asked, deadline_at, ended_at", "'asked', 'ended', '{}', now(), now()"),
    "snapshots": (
        "check_id, state, risk_score, risk_level, reasons, sources, fields, changed",
        "id, 'verified', 0, 'low', '[]', '[]', '{}', '{}'",
    ),
    "alerts": ("check_id, type, severity, detail", "id, 'lei_lapsed', 'high', 'Since May.'"),
    "onboardings": ("deal_id, saga_id", "id, id"),
}
"""Table → columns and their values."""


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), answer.body
    return str(answer.json().get("id"))


async def test_counterparties_in_every_order(kyb: Harness, org: UUID) -> None:
    client = kyb.client(org)
    for name in NAMES:
        await _made(client, "/v1/counterparties", {"name": name, "country": "DE", "monitoring": "none"})
    assert await check_orders("kyb", client, {}, only={"list_counterparties"}) == ["list_counterparties"]


async def test_every_order_of_what_was_found_about_one(kyb: Harness, org: UUID) -> None:
    """How it is found is tested elsewhere; about this one nobody asks, so that nothing is written meanwhile."""
    counterparty_id, ids = new_id(), [new_id() for _ in range(MANY)]
    async with kyb.app.db.transaction(org) as tx:
        await tx.execute(KNOWN, org, counterparty_id)
        for table, (columns, values) in FOUND.items():
            await tx.execute(
                f"INSERT INTO {table} (organization_id, id, counterparty_id, {columns})"
                f" SELECT $1::uuid, id, $2::uuid, {values} FROM unnest($3::uuid[]) AS id",
                org,
                counterparty_id,
                ids,
            )
    inside = {"counterparty_id": str(counterparty_id)}
    walked = await check_orders("kyb", kyb.client(org), inside, without={"list_counterparties"})
    assert len(walked) == len(FOUND), walked

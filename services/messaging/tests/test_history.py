"""The history of a conversation at any depth, and bodies without a message."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from flotilla.http import Cursor
from flotilla.ids import new_id
from flotilla.testing import Client, Harness
from flotilla_messaging.store import bodies, lists
from flotilla_messaging.sweep import sweep_bodies

Received = Callable[..., Awaitable[UUID]]

MANY = 20_000
FILL = """
INSERT INTO messages (organization_id, id, conversation_id, position, direction, state, identity_id, sent_at,
                      state_at)
SELECT $1, gen_random_uuid(), $2, number, 'in', 'received', $2, now(), now() FROM generate_series(2, $3) AS number"""


async def test_pages_join_without_gaps_in_both_directions(people: Client, received: Received) -> None:
    conversation_id = await received()
    for number in range(2, 8):
        await received(f"message {number}", number)
    path = f"/v1/conversations/{conversation_id}/messages?limit=3"
    for direction, expected in (("older", [7, 6, 5, 4, 3, 2, 1]), ("newer", [1, 2, 3, 4, 5, 6, 7])):
        seen: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            at = f"&cursor={cursor}" if cursor else ""
            answer = (await people.get(f"{path}&direction={direction}{at}")).json()
            seen += [each["position"] for each in answer["items"]]
            cursor = answer["next_cursor"]
        assert seen == expected
    for cursor in ("abc", Cursor.write(2**70), Cursor.write(-1), Cursor.write("x", 1)):
        assert (await people.get(f"{path}&cursor={cursor}")).status == 422


async def test_a_made_up_place_in_the_inbox_is_refused(people: Client) -> None:
    for cursor in ("abc", Cursor.write("2026-01-01T00:00:00", new_id()), Cursor.write(1, 2)):
        assert (await people.get(f"/v1/conversations?cursor={cursor}")).status == 422
    assert (await people.get("/v1/conversations?channel=%00")).status == 422


async def test_a_deep_page_costs_what_the_first_one_does(
    messaging: Harness, org: UUID, received: Received
) -> None:
    """Both are one range of one index; a page at depth 10 and one at 19,990 read as many blocks."""
    conversation_id = await received()
    async with messaging.app.db.transaction(org) as tx:
        await tx.execute(FILL, org, conversation_id, MANY)
        costs = []
        for sql, position in ((lists.OLDER, MANY), (lists.OLDER, 60), (lists.NEWER, MANY - 60)):
            plan = await _plan(tx, sql, org, conversation_id, position, 51)
            (scan,) = _scans(plan)
            assert scan["Node Type"] == "Index Scan"
            assert "position" in scan["Index Cond"]
            assert "conversation_id" in scan["Index Cond"]
            assert scan["Actual Rows"] == 51
            costs.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    assert max(costs) <= 2 * min(costs), costs


async def _plan(tx: Any, sql: str, *args: object) -> dict[str, Any]:
    text = await tx.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *args)
    plan: dict[str, Any] = msgspec.json.decode(text)[0]["Plan"]
    return plan


def _scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    found = [plan] if "Scan" in plan["Node Type"] and plan.get("Relation Name") == "messages" else []
    return found + [scan for child in plan.get("Plans", ()) for scan in _scans(child)]


async def test_a_body_without_a_message_goes_after_a_day(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    conversation_id = await received("kept")
    old = datetime.now(UTC) - timedelta(days=2)
    collection = bodies.collection(messaging.app)
    orphan, fresh, touched = new_id(), new_id(), new_id()
    for message_id in (orphan, touched):
        await collection.insert_many_once(
            [{"_id": message_id, "organization_id": org, "text": "?", "written_at": old}]
        )
    await bodies.write(messaging.app, [bodies.Body(org, each, "?") for each in (fresh, touched)])
    shown = (await people.get(f"/v1/conversations/{conversation_id}/messages")).json()["items"][0]
    await collection.update_one(org, UUID(shown["id"]), {"$set": {"written_at": old}})
    await messaging.app.db.execute("DELETE FROM body_sweep")
    await sweep_bodies(messaging.app)
    left = await collection.find_by_ids(org, [orphan, fresh, touched, UUID(shown["id"])])
    assert set(left) == {fresh, touched, UUID(shown["id"])}

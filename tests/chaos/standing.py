"""What stands in the fleet's stores, and waiting until nothing moves there any more."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import asyncpg
from flotilla.instance import Instance
from flotilla.service import FLEET
from flotilla.store.documents import Documents

from tests.chaos.fleets import Callers
from tests.chaos.history import Found, judge

CHATS: Final = (
    "JOIN messaging.conversations c ON c.organization_id = e.organization_id AND c.id = e.conversation_id"
)
EFFECTS: Final = {
    "conversation": "SELECT chat, count(*) FROM messaging.conversations GROUP BY 1",
    "message": f"SELECT chat, count(*) FROM messaging.messages e {CHATS} WHERE e.direction = 'in' GROUP BY 1",
    "contact": "SELECT address AS chat, count(*) FROM crm.channel_identities GROUP BY 1",
    "analysis": f"SELECT chat, count(*) FROM ai.analyses e {CHATS} GROUP BY 1",
    "draft": f"SELECT chat, count(*) FROM ai.drafts e {CHATS} GROUP BY 1",
    "live": """
        SELECT chat, count(*) FROM websocket.feed e JOIN messaging.conversations c
        ON c.organization_id = e.organization_id AND c.id = (e.event::jsonb #>> '{data,conversation_id}')::uuid
        WHERE e.type = 'message.received.v1' GROUP BY 1""",
    "archived": """
        SELECT chat, count(*) FROM analytics.archive e JOIN messaging.conversations c
        ON c.organization_id = e.organization_id AND c.id = (e.data ->> 'conversation_id')::uuid
        WHERE e.type = 'message.received.v1' GROUP BY 1""",
}
"""What one message of a customer does; each customer writes one, in a chat of their own."""
OWNED: Final = "SELECT id, sequence FROM crm.contacts"
COPIES: Final = {"pipeline": "SELECT id, sequence FROM pipeline.contacts WHERE NOT gone"}
"""Contacts, of customers and of those that the colleague makes and changes."""
REPLIES: Final = f"SELECT draft_id, chat, e.state FROM messaging.messages e {CHATS} WHERE e.direction = 'out'"
MESSAGES: Final = "SELECT organization_id, array_agg(id) AS ids FROM messaging.messages GROUP BY 1"
SAGAS: Final = "SELECT table_schema FROM information_schema.tables WHERE table_name = 'sagas' ORDER BY 1"
OPEN: Final = """
SELECT '{0}.sagas: ' || kind || ' ' || state AS what, count(*) FROM {0}.sagas
WHERE state NOT IN ('done', 'undone') GROUP BY 1"""
LEFT: Final = """
SELECT '{0}_bus.outbox: ' || type AS what, count(*) FROM {0}_bus.outbox GROUP BY 1 UNION ALL
SELECT '{0}_bus.parked_events: ' || state || ' ' || type, count(*) FROM {0}_bus.parked_events GROUP BY 1"""
LOOK_SECONDS: Final = 1.0
ON_ITS_WAY: Final = "queued"
NOBODY_KNOWS: Final = "unknown"
ARRIVED: Final = ("sent", "delivered", "read")


async def every_promise_kept(instance: Instance, callers: Callers, seconds: float = 150) -> None:
    """Wait until it is so; the last verdict, where nothing has moved for so many seconds: a busy machine is slow, and
    what a dead process had in hand stays leased to it for a minute.
    """
    connection = await asyncpg.connect(instance.admin_dsn(), timeout=60)
    before: object = None
    deadline = 0.0
    try:
        while True:
            found = await read(connection)
            left = await leftovers(connection)
            try:
                assert (verdict := judge(callers.customers.history, found)).good, str(verdict)
                await _answered_once(connection, callers)
                assert not left, left
                return await _every_body(connection, instance)
            except AssertionError as error:
                standing = (sum(counts.total() for counts in found.effects.values()), left)
                if standing != before:
                    before, deadline = standing, time.monotonic() + seconds
                if time.monotonic() > deadline:
                    raise AssertionError(f"nothing moves for {seconds} s: {error}") from error
            await asyncio.sleep(LOOK_SECONDS)  # sleep: to look is work for the servers, too
    finally:
        await connection.close()


async def read(connection: asyncpg.Connection) -> Found:
    """How often each effect of each customer's message is there, and how new contacts and their copies are.

    A customer is the UUID of the chat's number.
    """
    effects = {
        name: Counter({UUID(int=int(row["chat"])): row["count"] for row in await connection.fetch(query)})
        for name, query in EFFECTS.items()
    }
    copies = {name: await _sequences(connection, query) for name, query in COPIES.items()}
    return Found(effects, await _sequences(connection, OWNED), copies)


async def leftovers(connection: asyncpg.Connection) -> dict[str, int]:
    """What waits in outboxes, is parked, or is a saga that has not ended, in any service: how many of each."""
    kept = [row["table_schema"] for row in await connection.fetch(SAGAS)]
    queries = [LEFT.format(name) for name in FLEET] + [OPEN.format(schema) for schema in kept]
    return {row["what"]: row["count"] for row in await connection.fetch(" UNION ALL ".join(queries))}


async def _sequences(connection: asyncpg.Connection, query: str) -> dict[UUID, int]:
    return {row["id"]: row["sequence"] for row in await connection.fetch(query)}


async def _answered_once(connection: asyncpg.Connection, callers: Callers) -> None:
    """Each draft that was approved went out once, as far as anybody knows; nothing reached a customer twice."""
    rows = await connection.fetch(REPLIES)
    replies = Found({"reply": Counter(row["draft_id"] for row in rows)}, {}, {})
    verdict = judge(callers.answerer.history, replies)
    assert verdict.good, f"replies: {verdict}"
    states = {row["chat"]: row["state"] for row in rows}
    wrong = wrong_replies(states, Counter(str(each.chat) for each in callers.telegram.sent))
    assert not wrong, wrong


def wrong_replies(states: Mapping[str, str], sent: Counter[str]) -> list[str]:
    """What is wrong with replies: `states` of the one that each chat has, as messaging knows it, and how often the
    channel took one for that chat.
    """
    wrong = [f"{chat}: {times} times" for chat, times in sent.items() if times > 1]
    wrong += [f"{chat}: nobody approved it" for chat in sent if chat not in states]
    for chat, state in states.items():
        if state == ON_ITS_WAY or (state != NOBODY_KNOWS and (state in ARRIVED) != (sent[chat] > 0)):
            wrong.append(f"{chat}: {state}, and the channel took {sent[chat]}")
    return wrong


async def _every_body(connection: asyncpg.Connection, instance: Instance) -> None:
    """Each message's text is in the document store."""
    documents = Documents.open(instance.documents_url, f"{instance.documents_prefix}_messaging")
    try:
        for row in await connection.fetch(MESSAGES):
            bodies = await documents.collection("bodies").find_by_ids(row["organization_id"], row["ids"])
            assert len(bodies) == len(row["ids"]), "messages without a body"
    finally:
        await documents.close()

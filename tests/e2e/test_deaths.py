"""Every service is killed once while customers write; each message has all its effects, and has them once."""

from collections import Counter
from typing import Any

from flotilla.fleet import Fleet
from flotilla.testing import eventually
from flotilla.testing.people import Office, Person

from tests.e2e.conftest import NewOffice

VICTIMS = ("integrations", "messaging", "crm", "ai", "analytics", "websocket", "gateway")
"""Those that a customer's message passes through; a killed gateway's webhook is delivered again by Telegram."""
EACH = 4
QUESTION = "Hello, how long does delivery to Germany take?"


async def test_every_service_may_die_once(new_office: NewOffice, fleet: Fleet) -> None:
    office = await new_office("Harbour")
    chats: list[int] = []
    for victim in VICTIMS:
        await _write(office, chats)
        fleet.processes.kill(victim)
        await _write(office, chats)
        fleet.start_service(victim)
        await fleet.wait_ready(victim)
    await eventually(lambda: _everything_once(office.owner, len(chats)), seconds=60)


async def _write(office: Office, chats: list[int]) -> None:
    for _ in range(EACH):
        chats.append(1000 + len(chats))
        await office.customer_writes(QUESTION, chat=chats[-1], name=f"Customer {chats[-1]}")


async def _everything_once(owner: Person, number: int) -> bool:
    conversations = await _all(owner, "/v1/conversations")
    contacts = await _all(owner, "/v1/contacts")
    drafts = Counter(draft["message_id"] for draft in await _all(owner, "/v1/drafts"))
    messages = Counter(each["last_message"]["id"] for each in conversations)
    assert (len(conversations), len(contacts)) == (number, number)
    assert {each["last_position"] for each in conversations} == {1}
    assert drafts == messages, (len(drafts), len(messages), set(drafts.values()))
    return True


async def _all(owner: Person, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        found = await owner.ok("GET", f"{path}?limit=100{cursor}")
        items += found["items"]
        if found["next_cursor"] is None:
            return items
        cursor = f"&cursor={found['next_cursor']}"

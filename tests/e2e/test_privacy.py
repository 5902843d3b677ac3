"""Somebody asks to be forgotten: afterwards nothing in the fleet speaks of them. Another asks for what is known."""

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from flotilla.fleet import Fleet
from flotilla.service import FLEET
from flotilla.testing import eventually
from flotilla.testing.people import OWN_CUSTOMERS, Office, Person

from tests.e2e.arranged import EUROS
from tests.e2e.conftest import AT_ONCE, NewOffice
from tests.e2e.everywhere import places
from tests.e2e.filled import booked, first, stages_of
from tests.e2e.packed import brought_together, over
from tests.e2e.placed import called

NAME = "Wilhelmina"
SURNAME = "Quirrelby"
EMAIL = "w.quirrelby@zaubernuss.example"
PHONE = "+491715550199"
CHAT = 7700188412
WRITTEN = "Hello, how long does delivery of the zebrafinch kettle to Germany take?"
SAID = "We replace the zebrafinch kettle"
WORDS = (NAME, SURNAME, "zaubernuss", PHONE.removeprefix("+"), str(CHAT), "zebrafinch")

Json = dict[str, Any]


async def test_nothing_speaks_of_somebody_who_was_erased(new_office: NewOffice, fleet: Fleet) -> None:
    office = await new_office("Harbour")
    known = await _known_everywhere(office, fleet)
    before = await places(fleet, WORDS)
    assert any(place.startswith("files/") for place in before), "what they sent is a file"
    assert NAME in str(await _archived(office.owner, known)), "the archive shows them"
    for place in (
        "crm.contacts",
        "crm.bookings",
        "crm.import_parts",
        "crm.tasks",
        "crm.notes",
        "integrations.voice_calls",
        "messaging.attachments",
        "messaging.conversations",
        "documents/messaging.bodies",
        "ai.analyses",
        "pipeline.deals",
        "billing.invoices",
        "campaign.enrolments",
        "automation.recent_events",
    ):
        assert before[place] > 0, f"{place} is not looked into: {before}"
    assert any("search" in place for place in before), before

    begun = await office.owner.ok("POST", "/v1/erasures", {"contact_id": known["contact_id"]})
    ended = await over(office.owner, f"/v1/erasures/{begun['id']}")

    assert {answer["service"] for answer in ended["services"]} == set(FLEET)
    after = await eventually(lambda: _nowhere(fleet), seconds=20, what="nobody speaks of them")
    assert after
    archived = await _archived(office.owner, known)
    assert archived, "that it happened is there, and who it was is sealed under a key that nobody has"
    assert not any(word in str(archived) for word in WORDS)
    await _reported(office.owner, begun)
    await _still_works(office, known)


async def _nowhere(fleet: Fleet) -> bool:
    found = await places(fleet, WORDS)
    assert not found, found
    return True


async def _reported(owner: Person, begun: Json) -> None:
    link = urlsplit(begun["report_link"]["url"])
    nobody = Person(owner.base_url, owner.session)
    report = await nobody.call("GET", f"{link.path}?{link.query}")
    assert report.status == 200, report.body
    assert (await nobody.ok("GET", "/v1/report-keys"))[0]["crv"] == "Ed25519"


async def _still_works(office: Office, known: Json) -> None:
    """They may write again, and are somebody new; what others did with them is still there, without them."""
    owner = office.owner
    assert (await owner.call("GET", f"/v1/contacts/{known['contact_id']}")).status == 410
    invoice = await owner.ok("GET", f"/v1/invoices/{known['invoice_id']}")
    assert invoice["customer"]["name"] == "[erased]"
    async with owner.live() as live:
        await office.customer_writes("Good morning", chat=CHAT, name="Somebody")
        created = await live.expect("contact.created.v1")
        assert created["data"]["contact_id"] != known["contact_id"]


async def _archived(owner: Person, known: Json) -> list[Json]:
    """What the archive shows of them, and of their conversation, deal and call."""
    subjects = (known[name] for name in ("contact_id", "conversation_id", "deal_id", "booking_id"))
    pages = [await owner.ok("GET", f"/v1/archive/events?subject={id_}&limit=100") for id_ in subjects]
    return [item for page in pages for item in page["items"]]


async def _known_everywhere(office: Office, fleet: Fleet) -> Json:
    """A customer of whom every service that holds people knows something."""
    owner = office.owner
    await owner.ok("POST", "/v1/rules", _rule())
    async with owner.live() as live:
        await office.customer_writes(WRITTEN, chat=CHAT, name=f"{NAME} {SURNAME}")
        created = await live.expect("contact.created.v1")
        drafted = await live.expect("ai.draft.generated.v1")
        contact = created["data"]["contact_id"]
        conversation = drafted["data"]["conversation_id"]
        draft = drafted["data"]["draft_id"]
        await owner.ok("POST", f"/v1/drafts/{draft}/approve", {"text": f"{SAID}, {NAME}"}, headers=_once("a"))
        await live.expect("message.sent.v1")
    changes = {"email": EMAIL, "phone": PHONE}
    await owner.ok("PATCH", f"/v1/contacts/{contact}", changes, headers=_once("b"))
    other = await owner.ok("POST", "/v1/contacts", {"name": f"W. {SURNAME}", "email": EMAIL})
    await owner.ok("POST", f"/v1/contacts/{contact}/merges", {"contact_id": other["id"]})
    await owner.ok("POST", "/v1/tasks", {"title": f"Call {NAME}", "contact_id": contact})
    await owner.ok("POST", "/v1/notes", {"text": f"{NAME} likes tea", "contact_id": contact})
    await owner.ok(
        "POST", f"/v1/conversations/{conversation}/messages", {"text": f"{SAID}!"}, headers=_once("c")
    )
    steps = [{"type": "wait", "amount": 2, "unit": "days"}, {"type": "send", "text": "Hello {{name}}"}]
    await owner.ok("PUT", "/v1/consent-rule", OWN_CUSTOMERS)
    sequence = await owner.ok("POST", "/v1/sequences", {"name": "Later", "steps": steps})
    path = f"/v1/sequences/{sequence['id']}"
    await owner.ok("POST", f"{path}/versions")
    enrolled = {"contact_id": contact, "conversation_id": conversation, "fields": {"name": NAME}}
    await owner.ok("POST", f"{path}/enrolments", enrolled)
    known = {"contact_id": contact, "conversation_id": conversation}
    known |= await _sold(owner, contact)
    known |= await _met(owner, known)
    await called(fleet.instance, owner, contact, f"{NAME} asks for the zebrafinch kettle")
    await eventually(lambda: _searched(owner), what="search knows them")
    return known


async def _met(owner: Person, known: Json) -> Json:
    """A booking, a file that they sent, and a list of customers that they stand in."""
    user_id = owner.user["id"]
    booking_id = await booked(owner, user_id, known["contact_id"], title=f"Kettles with {NAME}")
    path = f"/v1/conversations/{known['conversation_id']}/attachments"
    begun = await owner.ok("POST", path, {"name": f"{SURNAME}.txt"})
    part = await owner.call("PUT", f"/v1/attachments/{begun['id']}/parts?number=1", body=SAID.encode())
    assert part.status == 204, part.body
    await owner.ok("POST", f"/v1/attachments/{begun['id']}/complete", {"parts": 1})
    imported = await owner.ok("POST", "/v1/imports", {"name": "customers.csv"})
    lines = f"name,email\n{NAME} {SURNAME},{EMAIL}\n".encode()
    part = await owner.call("PUT", f"/v1/imports/{imported['id']}/parts?number=1", body=lines)
    assert part.status == 200, part.body
    return {"booking_id": booking_id}


async def _sold(owner: Person, contact: str) -> Json:
    stages = await stages_of(owner)
    wanted = {"title": f"Kettles for {NAME} {SURNAME}", "value": EUROS, "contact_id": contact}
    deal = await owner.ok("POST", "/v1/deals", wanted)
    for stage in ("Proposal", "Won"):
        moved = {"stage_id": stages[stage]["id"], "reason": f"{NAME} said yes"}
        await owner.ok("POST", f"/v1/deals/{deal['id']}/move", moved)

    async def closed() -> Json | None:
        saga = await first(owner, f"/v1/sagas/pipeline?subject_id={deal['id']}")
        return saga if saga["state"] == "done" else None

    await eventually(closed, what="the deal is closed")
    invoices = (await owner.ok("GET", f"/v1/invoices?contact_id={contact}"))["items"]
    return {"deal_id": deal["id"], "invoice_id": invoices[0]["id"]}


async def _searched(owner: Person) -> bool:
    return bool((await owner.ok("GET", f"/v1/search?q={SURNAME}"))["items"])


def _rule() -> Json:
    return {
        "name": "Look",
        "enabled": True,
        "trigger": "message.received.v1",
        "actions": [{"type": "create_task", "title": "Look at {{data.text}}"}],
    }


def _once(key: str) -> dict[str, str]:
    return {"Idempotency-Key": f"privacy-{key}-{uuid4()}"}


async def test_what_is_known_of_somebody_is_brought_together(new_office: NewOffice, fleet: Fleet) -> None:
    office = await new_office("Kite")
    owner = office.owner
    async with owner.live() as live:
        await office.customer_writes("Is the walrus teapot blue?", chat=88123, name="Ottoline Brack")
        created = await live.expect("contact.created.v1")
        await live.expect("message.analyzed.v1")
    contact = created["data"]["contact_id"]
    await owner.ok("POST", "/v1/notes", {"text": "Collects teapots", "contact_id": contact})

    parts = await brought_together(owner, {"contact_id": contact})
    assert "Ottoline Brack" in parts["crm.jsonl"]
    assert "Collects teapots" in parts["crm.jsonl"]
    assert "walrus teapot" in parts["messaging.jsonl"]

    async def told() -> bool:
        notifications = (await owner.ok("GET", "/v1/notifications"))["items"]
        return any(each["kind"] == "export.done" for each in notifications)

    await eventually(told, what="the owner is told")


async def test_a_flag_is_seen_by_another_service_at_once(new_office: NewOffice) -> None:
    owner = (await new_office("Flags")).owner
    made = await owner.ok("POST", "/v1/feature-flags", {"key": "night-mode", "enabled": False})

    async def seen(service: str, on: bool) -> bool:
        features = (await owner.ok("GET", f"/v1/features/{service}"))["features"]
        return features.get("night-mode") is on

    for service in ("crm", "websocket"):
        await eventually(lambda service=service: seen(service, False))  # type: ignore[misc]
    await owner.ok("PATCH", f"/v1/feature-flags/{made['id']}", {"enabled": True})
    for service in ("crm", "websocket"):
        await eventually(lambda service=service: seen(service, True), seconds=AT_ONCE)  # type: ignore[misc]

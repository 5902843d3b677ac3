"""Two organizations side by side, both full of data: neither can tell that the other's things exist."""

import asyncio
from dataclasses import dataclass

from flotilla.testing.people import Office, Person

from tests.e2e.conftest import NewOffice
from tests.e2e.routes import Call, calls

SHOWN_ELSEWHERE = "/v1/parked/"
"""An event can't be parked from outside; libs/common/tests/bus shows the same of these routes."""


@dataclass
class Full:
    """An organization and the ids of one of each thing in it."""

    office: Office
    ids: dict[str, str]

    @property
    def owner(self) -> Person:
        """Who may do everything in it."""
        return self.office.owner


async def fill(office: Office) -> Full:
    """One of each thing that the API shows."""
    owner = office.owner
    async with owner.live() as live:
        await office.customer_writes("Hello, how long does delivery to Germany take?", chat=99)
        drafted = await live.expect("ai.draft.generated.v1")
        contact = await live.expect("contact.created.v1")
    draft = drafted["data"]
    company = await owner.ok("POST", "/v1/companies", {"name": "Kite & Sons"})
    task = await owner.ok("POST", "/v1/tasks", {"title": "Call back"})
    note = await owner.ok(
        "POST", "/v1/notes", {"text": "Likes tea", "contact_id": contact["data"]["contact_id"]}
    )
    invitation = await owner.ok(
        "POST", "/v1/invitations", {"email": f"{draft['draft_id']}@example.org", "role": "viewer"}
    )
    sources = await owner.ok("GET", "/v1/knowledge/sources")
    sessions = await owner.ok("GET", "/v1/sessions")
    return Full(
        office,
        {
            "account_id": office.account_id,
            "conversation_id": draft["conversation_id"],
            "message_id": draft["message_id"],
            "draft_id": draft["draft_id"],
            "contact_id": contact["data"]["contact_id"],
            "company_id": company["id"],
            "task_id": task["id"],
            "note_id": note["id"],
            "invitation_id": invitation.get("id") or invitation["invitation"]["id"],
            "source_id": sources["items"][0]["id"],
            "session_id": sessions["items"][0]["id"],
            "user_id": owner.user["id"],
            "correlation_id": drafted["correlation_id"],
        },
    )


async def routes_of(person: Person) -> list[Call]:
    """Every operation that needs somebody to be signed in, from the document the gateway serves."""
    found = calls(await person.ok("GET", "/openapi.json"))
    return [call for call in found if not call.public and SHOWN_ELSEWHERE not in call.path]


async def test_anothers_things_are_not_there(new_office: NewOffice) -> None:
    ours, theirs = await asyncio.gather(*[fill(await new_office(name)) for name in ("Harbour", "Kite")])
    about_one = [call for call in await routes_of(ours.owner) if call.parameters]
    assert len(about_one) > 25
    found: dict[str, object] = {}
    for call in about_one:
        answer = await theirs.owner.call(call.method, call.at(ours.ids), call.body)
        if answer.status != 404 or answer.headers.get("Content-Type") != "application/problem+json":
            found[f"{call.method} {call.path}"] = (answer.status, answer.body[:200])
    assert found == {}
    missing = {}
    for call in about_one:
        if call.method == "GET":
            answer = await ours.owner.call("GET", call.at(ours.ids))
            if answer.status != 200:
                missing[call.path] = (answer.status, answer.body[:200])
    assert missing == {}


async def test_lists_hold_ones_own_only(new_office: NewOffice) -> None:
    ours, theirs = await asyncio.gather(*[fill(await new_office(name)) for name in ("Harbour", "Kite")])
    lists = [call for call in await routes_of(ours.owner) if call.method == "GET" and not call.parameters]
    leaked = {}
    for call in lists:
        if call.path.startswith("/v1/live"):
            continue
        answer = await theirs.owner.call("GET", call.at(theirs.ids))
        assert answer.status in (200, 422), (call.path, answer.body[:200])
        shown = [name for name, value in ours.ids.items() if value.encode() in answer.body]
        if shown:
            leaked[call.path] = shown
    assert leaked == {}

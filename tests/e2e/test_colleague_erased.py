"""A colleague asks what is known of them, leaves, and asks to be forgotten: afterwards nothing in the fleet speaks of
them, and what they did is still there, done by somebody."""

from typing import Any

from flotilla.fleet import Fleet
from flotilla.service import FLEET
from flotilla.testing import eventually
from flotilla.testing.people import PASSWORD, Office, Person
from flotilla.testing.pictures import png

from tests.e2e.arranged import NOWHERE
from tests.e2e.conftest import NewOffice
from tests.e2e.everywhere import places
from tests.e2e.filled import first
from tests.e2e.packed import brought_together, over

NAME = "Balthazar Ockeldorf"
EMAIL = "b.ockeldorf@wunderkammer.example"
DEVICE = "Quillbrowser"
WORDS = ("Balthazar", "Ockeldorf", "wunderkammer", DEVICE)

Json = dict[str, Any]


async def test_nothing_speaks_of_a_colleague_who_was_erased(new_office: NewOffice, fleet: Fleet) -> None:
    office = await new_office("Wharf")
    owner = office.owner
    colleague = await _working(owner)
    user_id = colleague.user["id"]
    task = await _at_work(office, colleague)
    before = await places(fleet, WORDS)
    for place in ("auth.users", "integrations.accounts"):
        assert before[place] > 0, f"{place} is not looked into: {before}"

    parts = await brought_together(owner, {"user_id": user_id})
    assert EMAIL in parts["auth.jsonl"]
    assert NAME in parts["auth.jsonl"]
    assert '"media_type":"image/webp"' in parts["auth.jsonl"], "their picture is there"
    assert "Ockeldorf's diary" in parts["integrations.jsonl"]
    assert "conversation.mentioned" in parts["websocket.jsonl"]
    acts = await _acts(owner, user_id)
    assert any(NAME in str(act["data"]) for act in acts), "the audit log has them"

    shown = await owner.ok("GET", f"/v1/users/{user_id}")
    assert (await owner.call("GET", shown["avatar_url"])).status == 200

    await owner.ok("PATCH", f"/v1/users/{user_id}", {"state": "deactivated"})
    begun = await owner.ok("POST", "/v1/erasures", {"user_id": user_id})
    ended = await over(owner, f"/v1/erasures/{begun['id']}")
    assert {answer["service"] for answer in ended["services"]} == set(FLEET)
    await eventually(lambda: _nowhere(fleet), seconds=20, what="nobody speaks of them")

    acts = await _acts(owner, user_id)
    assert acts, "that there was somebody is there"
    assert "erased" in {act["personal"] for act in acts}
    assert not any(word in str(acts) for word in WORDS)
    assert (await owner.ok("GET", f"/v1/tasks/{task}"))["title"] == "Send the catalogue"
    signing_in = {"email": EMAIL, "password": PASSWORD}
    answer = await Person(owner.base_url, owner.session).call("POST", "/v1/sign-in", signing_in)
    assert answer.status in (401, 403)
    assert (await owner.call("GET", shown["avatar_url"])).status == 404


async def _working(owner: Person) -> Person:
    """Invited, joined, and signed in from a device of theirs."""
    invited = await owner.ok("POST", "/v1/invitations", {"email": EMAIL, "role": "team_member"})
    joining = {"token": invited["token"], "name": NAME, "password": PASSWORD}
    await owner.ok("POST", "/v1/invitations/accept", joining)
    signing_in = {"email": EMAIL, "password": PASSWORD}
    agent = {"User-Agent": f"{DEVICE}/1.0"}
    return owner.signed_in(await owner.ok("POST", "/v1/sign-in", signing_in, headers=agent))


async def _nowhere(fleet: Fleet) -> bool:
    found = await places(fleet, WORDS)
    assert not found, found
    return True


async def _at_work(office: Office, colleague: Person) -> str:
    """Every service that holds colleagues knows something of them; the id of a task that they made."""
    owner = office.owner
    await office.customer_writes("Good morning", chat=771_001)
    conversation = await first(owner, "/v1/conversations")
    note = {"text": "Please have a look", "mentions": [colleague.user["id"]]}
    await owner.ok("POST", f"/v1/conversations/{conversation['id']}/notes", note)
    mentioned = await first(colleague, "/v1/notifications?unread=true")
    assert mentioned["kind"] == "conversation.mentioned"
    calendar = {
        "name": "Ockeldorf's diary",
        "settings": {"url": f"{NOWHERE}/wunderkammer"},
        "credentials": {"username": EMAIL, "password": "an app password"},
    }
    await colleague.ok("POST", "/v1/calendars", calendar)
    await colleague.ok("PUT", "/v1/me/avatar", png(200, 30, 30))
    hours = {"time_zone": "Europe/Berlin", "hours": []}
    await colleague.ok("PUT", f"/v1/bookings/hosts/{colleague.user['id']}", hours)
    await colleague.ok(
        "PUT", "/v1/notification-preferences", {"choices": [{"kind": "task", "in_app": False}]}
    )
    task = await colleague.ok("POST", "/v1/tasks", {"title": "Send the catalogue"})
    return str(task["id"])


async def _acts(owner: Person, user_id: str) -> list[Json]:
    """What the audit log has of them."""
    found: list[Json] = (await owner.ok("GET", f"/v1/audit?subject={user_id}&limit=100"))["items"]
    return found

"""The people of the matrix of permissions: one of each role, and records of each that another may or may not see."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flotilla.security.permissions import ALL, OWN, ROLES, SCOPED, TEAM, scope_of, shown_beyond
from flotilla.testing import eventually
from flotilla.testing.people import PASSWORD, Office, Person

from tests.e2e.filled import QUALIFYING, booked, first

NOBODY: Final = "nobody"
MATE: Final = "team_member"
"""Is in a team with those who have one of the organization's own roles."""
OTHER: Final = "other"
"""A team member in no team."""
IN_TEAM: Final = ("own", "team", "mixed", MATE)


def narrowed(reads: str, writes: str) -> dict[str, str]:
    """What a team member may, for less than all; without what would show all in another way."""
    wanted = {
        name: ALL if name not in SCOPED else reads if name.endswith(":read") else writes
        for name in ROLES["team_member"]
    }
    return {name: scope for name, scope in wanted.items() if shown_beyond(wanted, name) is None}


OWN_ROLES: Final = {"own": narrowed(OWN, OWN), "team": narrowed(TEAM, TEAM), "mixed": narrowed(ALL, OWN)}
"""Roles that the organization makes: name to its permissions."""
OWNERS: Final = ("own", "team", "mixed", MATE, OTHER, NOBODY)


@dataclass
class Member:
    """Somebody with a role."""

    role: str
    person: Person

    def scope(self, permission: str) -> str | None:
        """For what the table gives it to them."""
        return scope_of("" if self.role in OWN_ROLES else self.role, OWN_ROLES.get(self.role), permission)

    def reaches(self, permission: str, owner: str) -> bool:
        """Whether a record of the owner is one that they have the permission for."""
        match self.scope(permission):
            case "all":
                return True
            case "team":
                return owner in (*IN_TEAM, NOBODY)
            case "own":
                return owner == self.role
        return False


@dataclass
class Cast:
    """Everybody, and the ids of the records of each owner."""

    members: dict[str, Member]
    team_id: str
    """Of `IN_TEAM`."""
    records: dict[str, dict[str, str]] = field(default_factory=dict)
    """Owner to name of a path parameter to id."""


async def cast_of(office: Office) -> Cast:
    """An organization's people, in a team and out of it, each with one of each record."""
    owner = office.owner
    await has_every_feature(owner)
    roles = {
        name: (await owner.ok("POST", "/v1/roles", {"name": name, "permissions": permissions}))["id"]
        for name, permissions in OWN_ROLES.items()
    }
    built_in = ("admin", "team_owner", MATE, "client", "viewer")
    joined = await asyncio.gather(
        *[join(owner, name, None) for name in built_in],
        join(owner, "team_member", None),
        *[join(owner, "team_member", role_id) for role_id in roles.values()],
    )
    people = dict(zip((*built_in, OTHER, *roles), joined, strict=True))
    team = await owner.ok("POST", "/v1/teams", {"name": "Cast"})
    for name in IN_TEAM:
        await owner.ok("PUT", f"/v1/teams/{team['id']}/members/{people[name].user['id']}", {})
    members = {name: Member(name, person) for name, person in {"owner": owner, **people}.items()}
    cast = Cast({name: member for name, member in members.items() if name != OTHER}, team["id"])
    chats = range(500, 500 + len(OWNERS))
    await asyncio.gather(
        *[office.customer_writes(QUALIFYING, chat=chat, name=f"Cast {chat}") for chat in chats]
    )
    leads = await _leads(owner, len(OWNERS))
    made = [_records(owner, members, each, lead) for each, lead in zip(OWNERS, leads, strict=True)]
    cast.records = dict(zip(OWNERS, await asyncio.gather(*made), strict=True))
    colleague, path = people["team"], f"/v1/contacts/{cast.records[MATE]['contact_id']}"
    await eventually(lambda: _sees(colleague, path), what="the gateway knows who is in the team")
    await eventually(lambda: _knows_owners(cast), what="the AI knows who has which conversation")
    return cast


async def has_every_feature(owner: Person) -> None:
    """The plan that has all: what somebody is refused after this, their role refuses."""

    async def answers(status: int) -> bool:
        # A body that cannot be read: no child comes of it.
        headers = {"Content-Type": "application/json"}
        answer = await owner.call("POST", "/v1/organization/children", body=b"{", headers=headers)
        return answer.status == status

    # The gateway lets in whom it knows nothing of: it has to know the first plan before the next one's effect shows.
    await eventually(lambda: answers(403), seconds=30, what="the gateway knows the trial")
    await owner.ok("PUT", "/v1/subscription", {"plan": "enterprise"})
    await eventually(lambda: answers(400), seconds=30, what="the gateway knows the enterprise plan")


async def _knows_owners(cast: Cast) -> bool:
    """Whether the last of the drafts is whose it shall be: nobody's before, theirs now."""
    paths = {owner: f"/v1/drafts/{ids['draft_id']}" for owner, ids in cast.records.items()}
    own, team, mixed = (cast.members[role].person for role in OWN_ROLES)
    stale = {"If-Match": '"999999"'}
    decided = await mixed.call("POST", f"{paths['mixed']}/approve", {}, headers=stale)
    return decided.status == 412 and await _sees(own, paths["own"]) and not await _sees(team, paths[OTHER])


async def _sees(person: Person, path: str) -> bool:
    return (await person.call("GET", path)).status == 200


async def join(owner: Person, role: str, role_id: str | None) -> Person:
    """Somebody new with this role, or with one that the organization made."""
    wanted = {"email": f"{secrets.token_hex(6)}@example.org", "role": role}
    invited = await owner.ok("POST", "/v1/invitations", wanted)
    joining = {"token": invited["token"], "name": role, "password": PASSWORD}
    person = owner.signed_in(await owner.ok("POST", "/v1/invitations/accept", joining))
    if role_id is None:
        return person
    await owner.ok("PATCH", f"/v1/users/{person.user['id']}", {"role_id": role_id})
    signed_in = {"email": wanted["email"], "password": PASSWORD}
    return owner.signed_in(await owner.ok("POST", "/v1/sign-in", signed_in))


async def _leads(owner: Person, number: int) -> list[dict[str, Any]]:
    """Those of the customers who have just written."""

    async def listed() -> list[dict[str, Any]] | None:
        page = await owner.ok("GET", "/v1/leads?limit=100")
        contacts = [await owner.ok("GET", f"/v1/contacts/{lead['contact_id']}") for lead in page["items"]]
        names = [contact["name"] or "" for contact in contacts]
        found = [lead for lead, name in zip(page["items"], names, strict=True) if name.startswith("Cast")]
        return found if len(found) >= number else None

    found = await eventually(listed, seconds=40, what="a lead of each customer")
    assert found is not None
    return found


async def _records(
    owner: Person, members: dict[str, Member], name: str, lead: dict[str, Any]
) -> dict[str, str]:
    """One of each that is theirs; whoever makes them is the owner of the organization, but for a note."""
    whose = members[name].person.user["id"] if name != NOBODY else None
    contact, conversation = lead["contact_id"], lead["conversation_id"]

    async def assigned() -> bool:
        await owner.ok("PATCH", f"/v1/conversations/{conversation}", {"assignee_id": whose})
        await owner.ok("PATCH", f"/v1/contacts/{contact}", {"owner_id": whose})
        await owner.ok("PATCH", f"/v1/leads/{lead['id']}", {"owner_id": whose})
        return True

    await eventually(assigned, what="the services know who is there")
    company = await owner.ok("POST", "/v1/companies", {"name": f"Of {name}", "owner_id": whose})
    task = await owner.ok("POST", "/v1/tasks", {"title": f"Of {name}", "assignee_id": whose})
    deal = await owner.ok("POST", "/v1/deals", {"title": f"Of {name}", "owner_id": whose})
    twins = [
        (await owner.ok("POST", "/v1/contacts", {"name": "Twin", "owner_id": whose}))["id"] for _ in range(2)
    ]
    merge = await owner.ok("POST", f"/v1/contacts/{contact}/merges", {"contact_id": twins[0]})
    path = f"/v1/conversations/{conversation}"
    message = await first(owner, f"{path}/messages?direction=newer")
    draft = await first(owner, f"/v1/drafts?conversation_id={conversation}")
    attachment = await owner.ok("POST", f"{path}/attachments", {"name": "a.txt"})
    records = {
        "contact_id": contact,
        "conversation_id": conversation,
        "lead_id": lead["id"],
        "company_id": company["id"],
        "task_id": task["id"],
        "deal_id": deal["id"],
        "draft_id": draft["id"],
        "merge_id": merge["id"],
        "twin_id": twins[1],
        "message_id": message["id"],
        "attachment_id": attachment["id"],
    }
    if name != NOBODY:
        author = members[name].person
        note = await author.ok("POST", "/v1/notes", {"text": f"Of {name}", "contact_id": contact})
        records |= {"note_id": note["id"], "booking_id": await booked(owner, author.user["id"], contact)}
    return records


def ids_in(records: dict[str, dict[str, str]], name: str) -> Sequence[tuple[str, str]]:
    """(owner, id) of what a path parameter names, of each owner who has one."""
    return [(owner, ids[name]) for owner, ids in records.items() if name in ids]

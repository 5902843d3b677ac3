"""What an organization arranges for itself: people's work, programs, money, figures, and what it says of people."""

from flotilla.testing import eventually
from flotilla.testing.people import PASSWORD, Person
from flotilla.testing.pictures import png

NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there."""
EUROS = {"amount_minor": 119_00, "currency": "EUR"}


async def arrange(owner: Person, ids: dict[str, str]) -> dict[str, str]:
    """One of each of these; their ids."""
    return {
        **await _teams(owner, ids),
        **await _programs(owner),
        **await _calendars(owner),
        **await _figures(owner),
        **await _features(owner),
        **await _judgements(owner, ids),
        **await _requests(owner, ids),
        **await _replays(owner),
    }


async def _teams(owner: Person, ids: dict[str, str]) -> dict[str, str]:
    """A team, somebody in it who takes care of a client, is there and has a picture, and a role."""
    team = await owner.ok("POST", "/v1/teams", {"name": "Support"})
    path = f"/v1/teams/{team['id']}"
    await owner.ok("PUT", f"{path}/members/{owner.user['id']}", {})
    await owner.ok("POST", f"{path}/assignments", {"contact_id": ids["contact_id"]})
    await owner.ok("PUT", "/v1/me/presence", {"status": "online"})
    await owner.ok("PUT", "/v1/me/avatar", png(20, 90, 160))
    role = await owner.ok("POST", "/v1/roles", {"name": "Reader", "permissions": {"deals:read": "all"}})
    return {"team_id": team["id"], "role_id": role["id"]}


async def _programs(owner: Person) -> dict[str, str]:
    """A program's key, and something paid beforehand."""
    key = await owner.ok("POST", "/v1/api-keys", {"name": "ERP", "scopes": ["contacts:read"]})
    client = await owner.ok("POST", "/v1/oauth-clients", {"name": "ERP", "scopes": ["contacts:read"]})
    await owner.ok("POST", "/v1/wallet/top-ups", {"amount": EUROS})
    return {"api_key_id": key["id"], "client_id": client["id"]}


async def _calendars(owner: Person) -> dict[str, str]:
    """A calendar of one's own, at a server that nobody reaches."""
    wanted = {
        "name": "Mine",
        "settings": {"url": f"{NOWHERE}/mine"},
        "credentials": {"username": "ada", "password": "an app password"},
    }
    calendar = await owner.ok("POST", "/v1/calendars", wanted)
    return {"calendar_id": calendar["id"]}


async def _figures(owner: Person) -> dict[str, str]:
    """A metric of one's own, a goal, and a report that was made."""
    metric = await owner.ok("POST", "/v1/metrics/custom", {"name": "visits", "title": "Visits"})
    goal = await owner.ok("POST", "/v1/goals", {"name": "Sell", "measure": "deals_won", "target": 10})
    report = await owner.ok("POST", "/v1/reports", {"name": "Sales", "measure": "deals_won"})
    run = await owner.ok("POST", f"/v1/reports/{report['id']}/runs")
    return {
        "metric_id": metric["id"],
        "goal_id": goal["id"],
        "report_id": report["id"],
        "report_run_id": run["id"],
    }


async def _judgements(owner: Person, ids: dict[str, str]) -> dict[str, str]:
    """A customer is asked how it was, and the owner judges how a colleague led the conversation."""
    survey = await owner.ok("POST", "/v1/surveys", {"name": "How was it?", "kind": "csat"})
    criterion = await owner.ok("POST", "/v1/quality/criteria", {"name": "Friendly"})
    email = f"{ids['message_id']}@example.org"
    invited = await owner.ok("POST", "/v1/invitations", {"email": email, "role": "team_member"})
    joining = {"token": invited["token"], "name": "Max", "password": PASSWORD}
    joined = await owner.ok("POST", "/v1/invitations/accept", joining)
    judged = {
        "conversation_id": ids["conversation_id"],
        "agent_id": joined["user"]["id"],
        "scores": [{"criterion_id": criterion["id"], "score": 4}],
    }

    async def reviewed() -> dict[str, str]:
        # analytics hears of the conversation a moment after messaging has opened it.
        made: dict[str, str] = await owner.ok("POST", "/v1/quality/reviews", judged)
        return made

    review = await eventually(reviewed, what="a review")
    return {"survey_id": survey["id"], "criterion_id": criterion["id"], "review_id": review["id"]}


async def _features(owner: Person) -> dict[str, str]:
    """A feature that is on."""
    flag = await owner.ok("POST", "/v1/feature-flags", {"key": "quick-replies"})
    return {"flag_id": flag["id"]}


async def _requests(owner: Person, ids: dict[str, str]) -> dict[str, str]:
    """Somebody is to be forgotten, and somebody wants to know what is known of them."""
    gone = await owner.ok("POST", "/v1/contacts", {"name": "Olena"})
    erasure = await owner.ok("POST", "/v1/erasures", {"contact_id": gone["id"]})
    export = await owner.ok("POST", "/v1/exports", {"contact_id": ids["contact_id"]})
    return {"erasure_id": erasure["id"], "export_id": export["id"]}


async def _replays(owner: Person) -> dict[str, str]:
    """Copies of the organization's data, built anew."""
    replay = await owner.ok("POST", "/v1/replays", {"service": "crm"})
    return {"replay_id": replay["id"]}


async def shared(owner: Person, other: Person) -> dict[str, str]:
    """A grant to another organization, and one from it."""

    async def grant(grantor: Person, grantee: Person) -> str:
        slug = (await grantee.ok("GET", "/v1/organization"))["slug"]
        wanted = {"organization_slug": slug, "permissions": ["contacts:read"]}
        made = await grantor.ok("POST", "/v1/organization/grants", wanted)
        return str(made["id"])

    return {"grant_id": await grant(owner, other), "received_grant_id": await grant(other, owner)}

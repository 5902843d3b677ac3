"""What can be made and done: valid bodies of every POST that takes one, and what has to be there first."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from flotilla.testing.people import PASSWORD, Person

from tests.e2e.arranged import EUROS, NOWHERE
from tests.e2e.edits import edits
from tests.e2e.routes import Call

Ids = Mapping[str, str]
NOW: Final = "2026-11-20T12:00:00Z"

OTHERWISE: Final[Mapping[str, tuple[int, ...]]] = {
    "POST /v1/email-verifications/complete": (404,),
    "POST /v1/me/identities": (404,),
    "POST /v1/me/identities/complete": (401,),
}
"""What comes of a proof, or of a way to sign in, that there is none of."""


async def prove(person: Person) -> None:
    """Have them be who has just proved who they are, as what is sensitive takes, however long ago they signed in."""
    proved = await person.ok("POST", "/v1/step-up", {"password": PASSWORD})
    person.headers["Authorization"] = f"Bearer {proved['access_token']}"


def body_of(call: Call, ids: Ids) -> Any:
    """One that the route takes, about things that these ids name."""
    named = {**edits(ids), **_bodies(ids)}
    return named[call.name] if call.name in named else _about(call.body, ids)


def _about(body: Any, ids: Ids) -> Any:
    """The smallest body, about what there is: a field that is called as an id is that id."""
    if isinstance(body, list):
        return [_about(each, ids) for each in body]
    if isinstance(body, dict):
        return {name: ids.get(name) or _about(value, ids) for name, value in body.items()}
    return body


def _bodies(ids: Ids) -> dict[str, Any]:
    word = secrets.token_hex(4)
    return {**_of_customers(ids, word), **_of_rules(word), **_of_office(ids, word)}


def _of_customers(ids: Ids, word: str) -> dict[str, Any]:
    """Who is sold to, and what."""
    line = {"description": "200 mugs", "unit_price": EUROS}
    score = {"criterion_id": ids["criterion_id"], "score": 4}
    return {
        "POST /v1/campaigns": {"name": word, "message": {"text": "Our sale!"}},
        "POST /v1/companies": {"name": word},
        "POST /v1/counterparties": {"name": word, "country": "DE"},
        "POST /v1/erasures": {"user_id": ids["user_id"]},
        "POST /v1/exports": {"contact_id": ids["contact_id"]},
        "POST /v1/invoices": {"customer": {"name": word}, "currency": "EUR", "lines": [line]},
        "POST /v1/pipelines": {"name": word, "stages": [{"name": "New", "probability": 10}]},
        "POST /v1/pipelines/{pipeline_id}/stages": {"name": word, "probability": 10},
        "POST /v1/quality/reviews": {
            "conversation_id": ids["conversation_id"],
            "agent_id": ids["user_id"],
            "scores": [score],
        },
        "POST /v1/segments": {"name": word, "condition": {"field": "name", "operator": "is_set"}},
        "POST /v1/sequences": {"name": word, "steps": [{"type": "send", "text": "Still there?"}]},
    }


def _of_rules(word: str) -> dict[str, Any]:
    """What is done by itself."""
    task = {"type": "create_task", "title": "Write an offer"}
    return {
        "POST /v1/rules": {"name": word, "trigger": "deal.won.v1", "actions": [task]},
        "POST /v1/rules/backtests": {"trigger": "deal.created.v1", "actions": [task]},
        "POST /v1/rules/dry-run": {"trigger": "deal.created.v1", "actions": [task]},
    }


def _of_office(ids: Ids, word: str) -> dict[str, Any]:
    """Its people, programs, accounts and figures."""
    scopes = {"name": word, "scopes": ["contacts:read"]}
    return {
        "POST /v1/accounts": {
            "connector": "telegram",
            "name": word,
            "settings": {"api_base": NOWHERE},
            "credentials": {"token": f"123456:{word}"},
        },
        "POST /v1/api-keys": scopes,
        "POST /v1/calendars": {
            "name": word,
            "settings": {"url": f"{NOWHERE}/{word}"},
            "credentials": {"username": "ada", "password": word},
        },
        "POST /v1/feature-flags": {"key": f"flag-{word}"},
        "POST /v1/goals": {"name": word, "measure": "deals_won", "target": 10},
        "POST /v1/invitations": {"email": f"{word}@example.org", "role": "viewer"},
        "POST /v1/knowledge/sources": {"title": word, "text": "Mugs are washed by hand."},
        "POST /v1/metrics/custom": {"name": f"m_{word}", "title": word},
        "POST /v1/metrics/custom/{metric_id}/points": {"points": [{"id": word, "at": NOW, "value": 1}]},
        "POST /v1/oauth-clients": scopes,
        "POST /v1/organization/children": {"name": word},
        "POST /v1/partner-subscriptions": {
            "kind": "webhook",
            "name": word,
            "types": ["deal.*"],
            "url": f"{NOWHERE}/{word}",
        },
        "POST /v1/replays": {"service": "crm", "subjects": [ids["company_id"]]},
        "POST /v1/roles": {"name": word, "permissions": {"deals:read": "all"}},
        "POST /v1/step-up": {"password": PASSWORD},
        "POST /v1/subscription/ending": {"cancel_at_period_end": False},
        "POST /v1/teams": {"name": word},
        "POST /v1/wallet/top-ups": {"amount": EUROS},
    }


async def _made(owner: Person, path: str, body: Any, name: str) -> dict[str, str]:
    made = await owner.ok("POST", path, body)
    return {name: made["id"] if "id" in made else made["invitation"]["id"]}


def _new(path: str, name: str) -> Callable[[Person, Ids], Awaitable[dict[str, str]]]:
    async def make(owner: Person, ids: Ids) -> dict[str, str]:
        return await _made(owner, path, _bodies(ids)[f"POST {path}"], name)

    return make


async def _import(owner: Person, ids: Ids) -> dict[str, str]:
    return await _made(owner, "/v1/imports", {"name": "customers.csv"}, "import_id")


async def _team(owner: Person, ids: Ids) -> dict[str, str]:
    """A team of its own, with the owner in it, who takes care of a client."""
    contact = await owner.ok("POST", "/v1/contacts", {"name": "Somebody"})
    team = await _made(owner, "/v1/teams", {"name": secrets.token_hex(4)}, "team_id")
    path = f"/v1/teams/{team['team_id']}"
    await owner.ok("PUT", f"{path}/members/{ids['user_id']}", {})
    given = {"contact_id": contact["id"], "user_id": ids["user_id"]}

    await owner.ok("POST", f"{path}/assignments", given)
    return {**team, "contact_id": contact["id"]}


FRESH: Final[Mapping[str, Callable[[Person, Ids], Awaitable[dict[str, str]]]]] = {
    "DELETE /v1/api-keys/{api_key_id}": _new("/v1/api-keys", "api_key_id"),
    "DELETE /v1/imports/{import_id}": _import,
    "DELETE /v1/invitations/{invitation_id}": _new("/v1/invitations", "invitation_id"),
    "DELETE /v1/oauth-clients/{client_id}": _new("/v1/oauth-clients", "client_id"),
    "DELETE /v1/roles/{role_id}": _new("/v1/roles", "role_id"),
    "DELETE /v1/teams/{team_id}/assignments/{contact_id}": _team,
    "DELETE /v1/teams/{team_id}/members/{user_id}": _team,
}
"""What is there once only, made anew for each who takes it away."""

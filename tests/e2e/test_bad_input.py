"""Bad input at every door: a problem that helps, nothing half stored, nothing parked."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from flotilla.fleet import Fleet
from flotilla.testing import eventually
from flotilla.testing.people import Office

from tests.e2e.conftest import NewOffice
from tests.e2e.filled import onboarded

QUIET_SECONDS = 3.0
SECRET = "X-Telegram-Bot-Api-Secret-Token"
PARTNER = b'{"kind": "webhook", "name": "ERP", "types": ["deal.won.v1"], "url": "https://erp.example.com"}'
GOAL = b'{"name": "x", "measure": "parrots", "target": "10"}'
EXPIRED = (
    "eyJhbGciOiJFZERTQSIsImtpZCI6IngifQ.eyJpc3MiOiJmbG90aWxsYSIsImV4cCI6MX0."
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


@dataclass(frozen=True)
class Bad:
    """A request that must be refused, and with what."""

    name: str
    method: str
    path: str
    status: int
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    anonymous: bool = False


def _update(**changes: Any) -> bytes:
    message = {
        "message_id": 5,
        "from": {"id": 7, "is_bot": False, "first_name": "Eve"},
        "chat": {"id": 7, "type": "private"},
        "date": 1_790_000_000,
        "text": "hello",
    }
    return json.dumps({"update_id": 1, "message": message | changes}).encode()


def requests(office: Office, secret: str) -> list[Bad]:
    """Every door, and something wrong at it."""
    return [*at_the_edge(office, secret), *with_customers(), *with_figures_and_words()]


def at_the_edge(office: Office, secret: str) -> list[Bad]:
    """What is no request at all, or nobody's."""
    hook = f"/v1/hooks/telegram/{office.account_id}"
    signed = {SECRET: secret}
    return [
        Bad("wrong secret", "POST", hook, 401, _update(), {SECRET: "guess"}, True),
        Bad("no secret", "POST", hook, 401, _update(), {}, True),
        Bad("unknown account", "POST", f"/v1/hooks/telegram/{uuid4()}", 404, _update(), signed, True),
        Bad("no JSON", "POST", hook, 400, b'{"update_id": 1, "message": {', signed, True),
        Bad("broken UTF-8", "POST", hook, 400, _update().replace(b"hello", b"\xff\xfe\xc0"), signed, True),
        Bad("wrong types", "POST", hook, 422, _update(date="yesterday"), signed, True),
        Bad("oversized body", "POST", hook, 413, b'{"x": "' + b"x" * (2 << 20) + b'"}', signed, True),
        Bad("no token", "GET", "/v1/conversations", 401, anonymous=True),
        Bad("no JWT", "GET", "/v1/conversations", 401, headers={"Authorization": "Bearer x"}, anonymous=True),
        Bad("expired", "GET", "/v1/me", 401, headers={"Authorization": f"Bearer {EXPIRED}"}, anonymous=True),
        Bad("unknown path", "GET", "/v1/nothing-like-this", 404),
        Bad("wrong method", "DELETE", "/v1/conversations", 405),
        Bad("not an id", "GET", "/v1/conversations/not-an-id", 422),
        Bad("foreign id", "GET", f"/v1/conversations/{uuid4()}", 404),
        Bad("foreign cursor", "GET", "/v1/conversations?cursor=abc", 422),
        Bad("no limit", "GET", "/v1/contacts?limit=1000000", 422),
        Bad("nobody to erase", "POST", "/v1/erasures", 422, b"{}"),
        Bad(
            "another's report", "GET", f"/v1/erasures/{uuid4()}/report?token={'x' * 43}", 404, anonymous=True
        ),
        Bad("no passkey", "POST", "/v1/sign-in/passkey/complete", 422, b'{"credential": {}}', anonymous=True),
        Bad("acts of no time", "GET", "/v1/audit?from=yesterday", 422),
        Bad("flag without a name", "POST", "/v1/feature-flags", 422, b'{"key": "Not A Key"}'),
        Bad("encoded slash", "GET", "/v1/conversations%2f..%2fusers", 400),
    ]


def with_customers() -> list[Bad]:
    """Of people, conversations, partners."""
    return [
        Bad("contact without a name", "POST", "/v1/contacts", 422, b'{"email": "not an address"}'),
        Bad("malformed contact", "POST", "/v1/contacts", 400, b"{"),
        Bad("broken UTF-8 in a contact", "POST", "/v1/contacts", 400, b'{"name": "\xff\xfe"}'),
        Bad("NUL in a name", "POST", "/v1/companies", 422, b'{"name": "a\\u0000b"}'),
        Bad("unknown draft", "POST", f"/v1/drafts/{uuid4()}/approve", 404, b"{}"),
        Bad("weak password", "POST", "/v1/sign-up", 422, b'{"password": "1234"}', anonymous=True),
        Bad("unknown connector", "POST", "/v1/accounts", 422, b'{"connector": "fax", "name": "x"}'),
        Bad(
            "a calendar that is none",
            "POST",
            "/v1/calendars",
            422,
            b'{"connector": "telegram", "name": "x", "credentials": {}}',
        ),
        Bad("call to nobody", "POST", "/v1/calls", 422, b'{"number": "112"}'),
        Bad("nobody's conversation", "POST", f"/v1/conversations/{uuid4()}/typing", 404),
        Bad(
            "rent without days",
            "POST",
            "/v1/bd-offers",
            422,
            b'{"bd_account_id": "00000000-0000-7000-8000-000000000000", "kind": "rent", "title": "x",'
            b' "price": {"amount_minor": 1, "currency": "EUR"}}',
        ),
        Bad("unsigned order", "POST", f"/v1/hooks/shopify/{uuid4()}", 404, b"{}", anonymous=True),
        Bad(
            "partner of nothing",
            "POST",
            "/v1/partner-subscriptions",
            422,
            PARTNER.replace(b"deal.won", b"signing_key.rotated"),
        ),
        Bad(
            "partner nowhere", "POST", "/v1/partner-subscriptions", 422, PARTNER.replace(b"https", b"gopher")
        ),
        Bad("made-up link", "GET", "/v1/track/c/bm90aGluZw", 404, anonymous=True),
        Bad("replay of no service", "POST", "/v1/replays", 422, b'{"service": "../crm"}'),
        Bad("unknown replay", "GET", f"/v1/replays/{uuid4()}", 404),
        Bad("unknown notification", "POST", f"/v1/notifications/{uuid4()}/read", 404),
        Bad("no preferences", "PUT", "/v1/notification-preferences", 422, b'{"choices": [{"kind": "A B"}]}'),
        Bad("note of nothing", "POST", f"/v1/conversations/{uuid4()}/notes", 422, b'{"text": " "}'),
        Bad(
            "urgent nothing", "POST", f"/v1/conversations/{uuid4()}/escalate", 404, b'{"priority": "urgent"}'
        ),
    ]


def with_figures_and_words() -> list[Bad]:
    """Of reports and surveys, of what the AI says, of files."""
    return [
        Bad("forged link of a survey", "GET", f"/v1/surveys/answer/{'A' * 76}", 404, anonymous=True),
        Bad(
            "answer by a forged link",
            "POST",
            "/v1/surveys/answer/guess",
            404,
            b'{"score": 5}',
            anonymous=True,
        ),
        Bad("forged link of a report", "GET", "/v1/reports/files/guess", 404, anonymous=True),
        Bad("goal of nothing", "POST", "/v1/goals", 422, GOAL),
        Bad(
            "amounts of all currencies",
            "POST",
            "/v1/reports",
            422,
            b'{"name": "x", "measure": "revenue_won"}',
        ),
        Bad("policy of nothing", "POST", "/v1/ai/policies", 422, b'{"name": "x", "phrases": []}'),
        Bad(
            "summary of nothing",
            "POST",
            "/v1/summaries",
            404,
            json.dumps({"conversation_id": str(uuid4())}).encode(),
        ),
        Bad("unknown insight", "POST", f"/v1/insights/{uuid4()}/accept", 404),
        Bad("file without a name", "POST", f"/v1/conversations/{uuid4()}/attachments", 422, b'{"name": ""}'),
        Bad("forged link", "GET", f"/v1/attachments/{uuid4()}/content?token=x", 404, anonymous=True),
    ]


async def test_bad_input_is_refused_with_a_problem(new_office: NewOffice, fleet: Fleet) -> None:
    office = await new_office("Harbour")
    await onboarded(office.owner)
    others = await everybody(fleet) - {UUID((await office.owner.ok("GET", "/v1/organization"))["id"])}
    before = await rows_at_rest(fleet, others)
    secret = office.telegram.bots[office.token].secret
    wrong: dict[str, object] = {}
    for bad in requests(office, secret):
        headers = {"Content-Type": "application/json", **(bad.headers or {})}
        if not bad.anonymous:
            headers |= office.owner.headers
        nobody = type(office.owner)(office.owner.base_url, office.owner.session)
        answer = await nobody.call(bad.method, bad.path, body=bad.body or None, headers=headers)
        problem = answer.json() if answer.headers.get("Content-Type") == "application/problem+json" else {}
        helps = problem.get("detail") and problem.get("title") and problem.get("request_id")
        if answer.status != bad.status or problem.get("status") != bad.status or not helps:
            wrong[bad.name] = (answer.status, bad.status, answer.body[:120])
    assert wrong == {}
    assert await rows(fleet, others) == before


async def rows_at_rest(fleet: Fleet, others: set[UUID]) -> dict[str, int]:
    """The same, once what the founding of an organization brings about in every service is over."""
    last: dict[str, int] = {}
    since = time.monotonic()

    async def unchanged() -> dict[str, int] | None:
        nonlocal last, since
        now = await rows(fleet, others)
        if now != last:
            last, since = now, time.monotonic()
        return now if time.monotonic() - since > QUIET_SECONDS else None

    found = await eventually(unchanged, seconds=60, what="nothing more is written")
    assert found is not None
    return found


async def everybody(fleet: Fleet) -> set[UUID]:
    """All organizations that there are."""
    connection = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        return {row["id"] for row in await connection.fetch("SELECT id FROM auth.organizations")}
    finally:
        await connection.close()


async def rows(fleet: Fleet, others: set[UUID]) -> dict[str, int]:
    """How many rows each table holds, but for what counts attempts, what works off the past, and what is of `others`:
    earlier tests' organizations go on by themselves."""
    ignored = ("migrations", "leases", "ledger", "cursor", "inbox", "parked_none", "outbox", "jobs", "limits")
    connection = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        tables = await connection.fetch(
            "SELECT schemaname || '.' || tablename AS name, EXISTS (SELECT FROM information_schema.columns"
            "  WHERE table_schema = schemaname AND table_name = tablename AND column_name = 'organization_id')"
            " AS owned FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'public')"
            " AND schemaname NOT LIKE 'analytics%' AND schemaname NOT LIKE 'websocket%'"
        )
        found = {}
        for name, owned in tables:
            if not any(word in name for word in ignored):
                ours = " WHERE NOT coalesce(organization_id = ANY($1), false)" if owned else ""
                found[name] = await connection.fetchval(
                    f"SELECT count(*) FROM {name}{ours}", *[others] * owned
                )
        return {name: count for name, count in found.items() if count}
    finally:
        await connection.close()


@pytest.mark.parametrize("text", ["", " ", "x" * 5000, "\U0001f600" * 1000, "مرحبا", "'; DROP TABLE x; --"])
async def test_any_text_a_customer_may_write_is_taken(new_office: NewOffice, text: str) -> None:
    office = await new_office("Harbour")
    async with office.owner.live() as live:
        await office.customer_writes(text, chat=1)
        await office.customer_writes("and then this", chat=1)
        await live.expect("message.received.v1", lambda data: data["text"] == "and then this")

"""A whole organization is erased by all thirteen services, then looked for everywhere; another is as it was."""

import json
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
from flotilla.fleet import Fleet
from flotilla.service import FLEET, load
from flotilla.testing import eventually
from flotilla.testing.people import PASSWORD, Office, Person
from joserfc import jws
from joserfc.jwk import OKPKey

from tests.e2e.conftest import NewOffice
from tests.e2e.everywhere import places
from tests.e2e.filled import fill
from tests.e2e.packed import brought_together
from tests.e2e.placed import place

WRITTEN = "Hello, does the marmalade gramophone ship to Germany?"
WORDS = ("marmalade gramophone", "Peregrine", "Pumpernickel")
TABLES = """
SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1, 2"""
OF_THE_BUS = {"asked_erasures", "asked_exports", "forgotten"}
"""That it was asked for, and by which ids nothing comes back."""
PASSING = {"feed", "recent_events", "replay_organizations", "unreported_usage", "unsealed"}
"""Go by themselves: after hours or days; with the end of a replay; when the AI's use has been told, a block sealed."""

Json = dict[str, Any]


async def test_an_organization_is_gone_and_another_is_not(new_office: NewOffice, fleet: Fleet) -> None:
    gone, stays = await new_office("Harbour"), await new_office("Kite")
    for office, name in ((gone, "Peregrine Pumpernickel"), (stays, "Iryna")):
        async with office.owner.live() as live:
            await office.customer_writes(WRITTEN if office is gone else "Good morning", chat=501, name=name)
            await live.expect("ai.draft.generated.v1")
    await fill(gone)
    org, other = await _id(gone), await _id(stays)
    await place(fleet.instance, gone.owner)
    before, held = await _rows(fleet, other), await _rows(fleet, org)
    assert len(held) > 90, "there is something to be erased"
    email = gone.owner.user["email"]
    await _taken_along(gone)

    begun = await _erase(gone.owner)
    report = await eventually(
        lambda: _report(gone.owner, begun), seconds=120, what="the report, without signing in"
    )

    said = await _verified(stays.owner, report)
    assert {each["service"] for each in said["services"]} == set(FLEET)
    assert {each["state"] for each in said["services"]} == {"completed"}
    assert sum(sum(each["erased"].values()) for each in said["services"]) > 100

    async def nowhere() -> bool:
        found = await places(fleet, [*WORDS, email])
        assert not found, found
        return True

    await eventually(nowhere, seconds=30, what="nothing speaks of it")
    left = {place: number for place, number in (await _rows(fleet, org)).items() if number}
    assert sorted(left.keys() - _kept()) == []
    assert await places(fleet, [f"{org}/attachments", f"{org}/knowledge"]) == {}
    await _nobody_comes_in(gone.owner, email)
    await _untouched(stays, before, await _rows(fleet, other))


async def _taken_along(office: Office) -> None:
    """Whoever leaves takes with them what all services have; sealed secrets, which open nothing elsewhere, stay."""
    slug = (await office.owner.ok("GET", "/v1/organization"))["slug"]
    parts = await brought_together(office.owner, {"organization_slug": slug})
    for file, words in (
        ("auth.jsonl", office.owner.user["email"]),
        ("crm.jsonl", "Peregrine Pumpernickel"),
        ("messaging.jsonl", "marmalade gramophone"),
        ("pipeline.jsonl", '"deals"'),
        ("billing.jsonl", '"invoices"'),
    ):
        assert words in parts[file], (file, parts[file][:1000])
    assert not [file for file, lines in parts.items() if office.token in lines]


async def _nobody_comes_in(owner: Person, email: str) -> None:
    async def refused() -> bool:
        return (await owner.call("GET", "/v1/contacts")).status in (401, 403)

    # At once by notification; by looking again within a minute where a process had lost its connection.
    await eventually(refused, seconds=90, what="the session is refused")
    nobody = Person(owner.base_url, owner.session)
    body = {"email": email, "password": PASSWORD}
    assert (await nobody.call("POST", "/v1/sign-in", body)).status in (401, 403)


async def _untouched(stays: Office, before: dict[str, int], after: dict[str, int]) -> None:
    """No row of another organization went."""
    fewer = {
        table: (number, after.get(table, 0))
        for table, number in before.items()
        if after.get(table, 0) < number and table.split(".")[1] not in PASSING | {"jobs", "outbox"}
    }
    assert fewer == {}
    assert len((await stays.owner.ok("GET", "/v1/contacts"))["items"]) == 1
    assert len((await stays.owner.ok("GET", "/v1/conversations"))["items"]) == 1


def _kept() -> set[str]:
    kept = {f"{name}.{table}" for name in FLEET if (said := load(name).privacy) for table in said.kept}
    return kept | {f"{name}_bus.{table}" for name in FLEET for table in OF_THE_BUS}


async def _rows(fleet: Fleet, org: UUID) -> dict[str, int]:
    """How many rows of an organization each table has, of all schemas."""
    found: dict[str, int] = {}
    connection = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        for row in await connection.fetch(TABLES):
            if row["schema"].endswith("_shadow"):
                continue
            sql = f'SELECT count(*) FROM "{row["schema"]}"."{row["name"]}" WHERE organization_id = $1'
            if number := await connection.fetchval(sql, org):
                found[f"{row['schema']}.{row['name']}"] = number
    finally:
        await connection.close()
    return found


async def _erase(owner: Person) -> Json:
    slug = (await owner.ok("GET", "/v1/organization"))["slug"]
    begun: Json = await owner.ok("POST", "/v1/erasures", {"organization_slug": slug})
    return begun


async def _report(owner: Person, begun: Json) -> str:
    link = urlsplit(begun["report_link"]["url"])
    answer = await Person(owner.base_url, owner.session).call("GET", f"{link.path}?{link.query}")
    assert answer.status == 200, answer.body
    return answer.body.decode()


async def _verified(anybody: Person, report: str) -> Json:
    published = await Person(anybody.base_url, anybody.session).ok("GET", "/v1/report-keys")
    keys = {key["kid"]: OKPKey.import_key(key) for key in published}
    kid = jws.extract_compact(report.encode()).headers()["kid"]
    valid = jws.deserialize_compact(report, keys[kid], algorithms=["Ed25519"])
    said: Json = json.loads(valid.payload)
    return said


async def _id(office: Office) -> UUID:
    return UUID((await office.owner.ok("GET", "/v1/organization"))["id"])

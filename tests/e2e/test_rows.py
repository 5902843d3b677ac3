"""Tenants are kept apart by the database itself: shown by raw SQL under each service's role, on a fleet's own data.

What a service's code asks for does not come into it: whoever had its connection would see no more.
"""

from uuid import UUID

import asyncpg
from flotilla.fleet import Fleet

from tests.e2e.filled import Full
from tests.e2e.rows import changed, definers, reached, roles, seen

LISTED = {
    "duplicate_pairs",
    "find_documents",
    "keep_archive_partitions",
    "keep_feed_partitions",
    "keep_inbox_partitions",
    "keep_partner_partitions",
    "search_contacts",
}
"""Functions that run as the owner of their schema. One more is one more way in: look at it before it stands here."""
SOMETHING_OF_BOTH = 90
"""In so many tables two organizations of one of each thing have something."""


async def test_no_role_sees_or_changes_what_is_anothers(pair: list[Full], fleet: Fleet) -> None:
    ours, theirs = [UUID((await full.owner.ok("GET", "/v1/organization"))["id"]) for full in pair]
    wrong: dict[str, object] = {}
    both = 0
    services = 0
    async for role in roles(fleet.instance):
        found, number = await seen(role, ours, theirs)
        wrong |= found | await changed(role, ours, theirs)
        both, services = both + number, services + 1
    assert services == 13
    assert wrong == {}
    assert both >= SOMETHING_OF_BOTH, "with nothing to be seen, seeing nothing proves nothing"


async def test_no_role_reaches_anothers_schema_or_becomes_another(fleet: Fleet) -> None:
    wrong: dict[str, object] = {}
    admin = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        async for role in roles(fleet.instance):
            wrong |= await reached(role, fleet.instance, admin)
        listed, unsafe = await definers(admin, fleet.instance)
    finally:
        await admin.close()
    assert wrong | unsafe == {}
    assert listed == LISTED

"""What auth holds of people, and how it is forgotten."""

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

from flotilla.app import App
from flotilla.privacy import Person, Privacy, Rows
from flotilla.privacy.declare import Counts
from flotilla.privacy.keep import Keep
from flotilla.store.files import Files
from flotilla.store.postgres import Transaction

from flotilla_auth import avatars, passkeys
from flotilla_auth.domain.passkeys import Passkey
from flotilla_auth.store import credentials, people
from flotilla_auth.store import passkeys as store
from flotilla_auth.store import privacy_requests as asked_for

_KEPT: Final = "says who asked for the erasure, and what each service did"


async def _brought_together(app: App, org: UUID, person: Person) -> Counts:
    """Archives in which they are: of themselves, and of the whole organization, which can be asked for anew."""
    async with app.db.transaction(org) as tx:
        exports = await asked_for.exports_of(tx, org, person.contacts, person.users)
    files = Files.open(app.settings.files_url, app.keyring)
    removed = sum([await files.delete(org, f"exports/{export}") for export in exports])
    return {"exports": removed} if removed else {}


async def _sign_in_no_more(tx: Transaction, org: UUID, person: Person) -> Counts:
    """Their invitations, and the ways in of those who belong nowhere else; links to archives lead nowhere."""
    await asked_for.forget_exports(tx, org, person.contacts, person.users)
    return await people.forget(tx, org, person.users) if person.users else {}


async def _documents(app: App, org: UUID, person: Person | None) -> AsyncIterator[tuple[str, list[Any]]]:
    """What is sealed: their pictures and their passkeys."""
    async for page in avatars.documents(app, org, person.users if person else None):
        yield page
    async for page in _passkeys(app, org, person):
        yield page


async def _passkeys(app: App, org: UUID, person: Person | None) -> AsyncIterator[tuple[str, list[Any]]]:
    """What somebody called their passkeys, and when they used them; they are nobody's but the person's, so a whole
    organization's export has none. They go with the last membership, as all ways in do."""
    for user_id in person.users if person else ():
        if org in await credentials.memberships(app.db, user_id):
            found = await store.list_of(app.db, user_id)
            yield "passkeys", [_passkey(app, each) for each in found]


def _passkey(app: App, passkey: Passkey) -> dict[str, Any]:
    return {
        "id": passkey.id,
        "user_id": passkey.user_id,
        "name": passkeys.name_of(app, passkey),
        "made_at": passkey.made_at,
        "used_at": passkey.used_at,
    }


async def _forget_ways_in(app: App, org: UUID) -> Counts:
    """The ways in of people who belong nowhere else, and what was brought together of it or of its people.

    Auth is the last, so nobody writes more of that.
    """
    async with app.db.transaction(org) as tx:
        counts = await people.forget_all(tx, org)
    files = await Files.open(app.settings.files_url, app.keyring).delete(org, "exports")
    return counts | ({"exports": files} if files else {})


privacy: Final = Privacy(
    rows=(
        Rows(
            "users",
            user=("id",),
            clear={
                "email": "'erased-' || t.id || '@erased.invalid'",
                "name": "'[erased]'",
                "time_zone": "NULL",
                "avatar_version": "NULL",
            },
        ),
        Rows("avatars", user=("user_id",), key=None),
        Rows("sessions", user=("user_id",), clear={"address": "NULL", "user_agent": "NULL"}),
        Rows("client_assignments", contact=("contact_id",), key=None),
    ),
    outside=_brought_together,
    within=_sign_in_no_more,
    outside_of_organization=_forget_ways_in,
    documents=_documents,
    keeps=(Keep("privacy_requests", "privacy_requests", where="t.ended_at < $2"),),
    harmless={
        "invitations": "by address, and removed with the person who has it",
        "organizations": "of organizations",
        "teams": "what an organization calls its teams",
        "team_members": "skills",
        "roles": "what an organization calls its roles",
        "api_keys": "of programs",
        "oauth_clients": "of programs",
        "presences": "one of four words",
        "feature_flags": "of features",
        "privacy_requests": _KEPT,
        "privacy_answers": _KEPT,
        "child_allowances": "of plans",
        "clients": "ids, and none of a contact that is gone",
        "organization_grants": "what an organization lets another do",
        "retention": "periods, and the reason of a legal hold",
    },
    kept={"privacy_requests": _KEPT, "privacy_answers": _KEPT, "privacy_links": _KEPT},
)

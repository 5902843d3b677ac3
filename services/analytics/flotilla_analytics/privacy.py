"""What analytics holds of people, and how it is forgotten."""

from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.app import App
from flotilla.events import CONTRACTS
from flotilla.privacy import Person, Privacy, Rows
from flotilla.privacy.declare import Counts
from flotilla.privacy.keep import Keep, KeepOutside

from flotilla_analytics.domain.ageing import KINDS_OF
from flotilla_analytics.erasure import erase_person
from flotilla_analytics.resources import Resources
from flotilla_analytics.store.persons import destroy_all_keys, read_things

OF_THINGS: Final = tuple(
    type_
    for type_, contract in CONTRACTS.items()
    if len(contract.person) > 1 and "conversation_id" in contract.data.__struct_fields__
)
"""Types that may be sealed under the key of a thing though they name a conversation."""


_CHAINED: Final = (
    "a chain of hashes proves that nothing was changed; what is personal in it cannot be read any more"
)


async def _destroy_keys(app: App, org: UUID, person: Person) -> Counts:
    """Without their keys, what the archive has of them is noise; what search has goes with them."""
    erased: set[str] = set()
    async with app.db.transaction(org) as tx:
        things = await read_things(tx, org, OF_THINGS, person.conversations) if person.conversations else []
    for reference in (*person.references, *things):
        erased.update(await erase_person(app, org, reference))
    return {"person_keys": len(erased)} if erased else {}


async def _forget_organization(app: App, org: UUID) -> Counts:
    """All its keys, what search has, and the files of its reports."""
    own: Resources = app.own
    async with app.db.transaction(org) as tx:
        keys = await destroy_all_keys(tx, org)
    await own.search.delete_organization(org)
    counts = {"person_keys": keys, "sales-reports": await own.files.delete(org, "sales-reports")}
    return {name: count for name, count in counts.items() if count}


async def _forget_found(app: App, org: UUID, before: datetime, limit: int) -> int:
    """Messages that search finds."""
    own: Resources = app.own
    return await own.search.delete_messages(org, before, limit)


privacy: Final = Privacy(
    rows=(
        Rows("survey_sends", contact=("contact_id",), identity=("identity_id",), clear={"comment": "NULL"}),
        Rows(
            "conversation_agents",
            contact=("contact_id",),
            identity=("identity_id",),
            clear={},
        ),
        Rows(
            "quality_reviews",
            user=("agent_id",),
            via=(("conversation_id", "conversation_agents"),),
            clear={"comment": "NULL"},
        ),
    ),
    outside=_destroy_keys,
    keeps=(
        KeepOutside("messages", _forget_found),
        Keep("surveys", "survey_sends", where="t.comment IS NOT NULL", clear={"comment": "NULL"}),
        # What the archive tells: with the key of a week goes what was sealed in it, and nothing of the chain.
        *(
            Keep(kind, "person_periods", where=f"t.kind = '{kind}'")
            for kind in sorted(set(KINDS_OF.values()))
        ),
    ),
    outside_of_organization=_forget_organization,
    harmless={
        "conversation_facts": "numbers, states and times, by ids",
        "deal_facts": "numbers, states and times, by ids",
        "lead_facts": "numbers, states and times, by ids",
        "rollups": "numbers, states and times, by ids",
        "sales_rollups": "numbers, states and times, by ids",
        "survey_days": "numbers, states and times, by ids",
        "metric_days": "numbers, states and times, by ids",
        "metric_points": "numbers, states and times, by ids",
        "stage_facts": "what an organization calls its stages",
        "custom_metrics": "what an organization calls its metrics",
        "goals": "what an organization calls its goals",
        "reports": "what an organization calls its reports",
        "report_runs": "states; a report counts, and names nobody",
        "surveys": "what an organization asks",
        "quality_criteria": "what an organization looks at",
        "replays": "names of services, and states",
        "person_keys": "keys, by ids; destroyed ones stay as such",
        "person_aliases": "ids",
        "person_periods": "secrets that are worth nothing without the person's key, which is destroyed",
        "archive": "what is personal is sealed under keys of persons, which are destroyed",
        "search_documents": "removed with the keys",
    },
    kept={
        "archive": _CHAINED,
        "ledger": _CHAINED,
        "unsealed": _CHAINED,
        "person_keys": "destroyed, so that none is made anew",
        "person_aliases": "whose keys are destroyed",
    },
)

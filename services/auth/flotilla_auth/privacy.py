"""What auth holds of people, and how it is forgotten."""

from typing import Final
from uuid import UUID

from flotilla.privacy import Person, Privacy, Rows
from flotilla.privacy.declare import Counts
from flotilla.store.postgres import Transaction

from flotilla_auth.store import people

_KEPT: Final = "says who asked for the erasure, and what each service did"


async def _sign_in_no_more(tx: Transaction, org: UUID, person: Person) -> Counts:
    """Their invitations, and the ways in of those who belong nowhere else."""
    return await people.forget(tx, org, person.users) if person.users else {}


privacy: Final = Privacy(
    rows=(
        Rows(
            "users",
            user=("id",),
            clear={"email": "'erased-' || t.id || '@erased.invalid'", "name": "'[erased]'"},
        ),
        Rows("sessions", user=("user_id",), clear={"address": "NULL", "user_agent": "NULL"}),
        Rows("client_assignments", contact=("contact_id",), key=None),
    ),
    within=_sign_in_no_more,
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
    },
    kept={"privacy_requests": _KEPT, "privacy_answers": _KEPT, "privacy_links": _KEPT},
)

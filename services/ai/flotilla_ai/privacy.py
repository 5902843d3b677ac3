"""What ai holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy, Rows
from flotilla.privacy.keep import Keep

privacy: Final = Privacy(
    rows=(
        Rows("analyses", contact=("contact_id",), identity=("identity_id",)),
        Rows("drafts", contact=("contact_id",), identity=("identity_id",), via=(("message_id", "analyses"),)),
        Rows("qualifications", contact=("contact_id",), identity=("identity_id",)),
        Rows("summaries", contact=("contact_id",), identity=("identity_id",)),
        Rows("insights", contact=("contact_id",), identity=("identity_id",)),
    ),
    keeps=tuple(
        Keep("messages", table) for table in ("drafts", "analyses", "qualifications", "summaries", "insights")
    ),
    harmless={
        "budgets": "names of features",
        "conversation_assignees": "ids: which of the organization's people has which conversation",
        "knowledge_sources": "what an organization tells its customers",
        "knowledge_chunks": "what an organization tells its customers",
        "ai_settings": "an organization's own",
        "unreported_usage": "numbers",
        "policies": "what an organization does not want said",
        "policy_violations": "names of rules, and where in a draft",
        "wishes": "states",
    },
)

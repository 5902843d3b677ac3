"""What automation holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy, Rows
from flotilla.privacy.keep import Keep

privacy: Final = Privacy(
    rows=(
        Rows(
            "runs",
            contact=(),
            naming=("event", "explanation", "subject"),
            clear={"event": "NULL", "explanation": "'{}'"},
        ),
        Rows("recent_events", naming=("event",)),
        Rows("marketing_consents", contact=("contact_id",)),
        Rows("contact_regions", contact=("contact_id",), key=None),
        Rows("backtests", naming=("examples",), clear={"examples": "'[]'"}),
    ),
    keeps=(Keep("automation_runs", "runs", where="t.ended_at < $2"),),
    harmless={
        "conversation_positions": "numbers",
        "consent_rules": "names of regions",
        "plan_limits": "names of features, and numbers",
        "rules": "what an organization calls its rules",
        "rule_versions": "what an organization has done when something happens",
        "effects": "kinds and states",
    },
)

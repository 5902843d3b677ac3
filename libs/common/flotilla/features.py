"""Features that plans allow (billing's plans.toml says how much of each), by the names that routes use."""

from typing import Final

API_REQUESTS: Final = "api_requests"
"""Requests of programs with API keys, in any hour; the gateway's rate limit."""

CHILD_ORGANIZATIONS: Final = "child_organizations"
"""Other organizations that it founds, or looks after."""

HISTORY_DAYS: Final = "history_days"
"""For how many days what customers said is kept at most."""

FEATURES: Final = frozenset(
    {
        "ai_requests",
        "ai_tokens",
        API_REQUESTS,
        "automation",
        "campaigns",
        "channels",
        CHILD_ORGANIZATIONS,
        HISTORY_DAYS,
        "kyb",
        "partner_events",
        "rule_runs",
        "rules",
        "seats",
    }
)

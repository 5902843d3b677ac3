"""Features that plans allow (billing's plans.toml says how much of each), by the names that routes use."""

from typing import Final

API_REQUESTS: Final = "api_requests"
"""Requests of programs with API keys, in any hour; the gateway's rate limit."""

FEATURES: Final = frozenset(
    {
        "ai_requests",
        "ai_tokens",
        API_REQUESTS,
        "automation",
        "campaigns",
        "channels",
        "kyb",
        "partner_events",
        "rule_runs",
        "rules",
        "seats",
    }
)

"""The events of the fleet: one frozen struct a type and version, grouped by the service that owns them.

`flotilla.events.base` has the envelope and the registry; the other modules are the contracts themselves.
`make contracts` writes contracts/events/*.json and contracts/asyncapi.yaml from them.
"""

from flotilla.events import (
    ai,
    analytics,
    auth,
    automation,
    bd_accounts,
    billing,
    bookings,
    campaign,
    connectors,
    crm,
    gateway,
    integrations,
    kyb,
    leads,
    messaging,
    pipeline,
    privacy,
    security,
    sharing,
    threads,
    transient,
    websocket,
)
from flotilla.events.base import CONTRACTS, Contract, Envelope, Event, Personal, contract_of

__all__ = [
    "CONTRACTS",
    "Contract",
    "Envelope",
    "Event",
    "Personal",
    "ai",
    "analytics",
    "auth",
    "automation",
    "bd_accounts",
    "billing",
    "bookings",
    "campaign",
    "connectors",
    "contract_of",
    "crm",
    "gateway",
    "integrations",
    "kyb",
    "leads",
    "messaging",
    "pipeline",
    "privacy",
    "security",
    "sharing",
    "threads",
    "transient",
    "websocket",
]

"""Which types of events partners may have, and which events of them."""

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from flotilla.events import CONTRACTS
from flotilla.events.base import Contract

INTERNAL: Final = frozenset({"erasure", "export", "feature_flag", "replay", "signing_key"})
"""Entities that are the platform's own business."""
SECURITY: Final = frozenset({"auth", "gateway"})
"""Owners whose events say who may do what and who did: for whoever sees the whole organization."""
ALL: Final = ".*"
EVERYBODY: Final = "org"
"""In an event's audience: everybody who works for the organization."""


@cache
def offered() -> Mapping[str, Contract]:
    """The contracts that partners may have, by type: facts, and none of the platform's own business.

    Wishes are between services: whoever carries them out tells what came of them.
    """
    found = {type_: contract for type_, contract in CONTRACTS.items() if _is_offered(contract)}
    return MappingProxyType(dict(sorted(found.items())))


def _is_offered(contract: Contract) -> bool:
    fact = contract.type.rsplit(".", 2)[1]
    internal = contract.entity in INTERNAL or contract.internal_fields
    return not contract.wish and not contract.transient and fact != "requested" and not internal


def needs_whole_view(type_: str) -> bool:
    """Whether only those may have it who see everything of their organization."""
    return offered()[type_].owner in SECURITY


def expand(patterns: Iterable[str]) -> frozenset[str]:
    """The types that these stand for; nothing for one that stands for none."""
    found: set[str] = set()
    for pattern in patterns:
        found.update(_expanded(pattern))
    return frozenset(found)


@cache
def _expanded(pattern: str) -> frozenset[str]:
    if not pattern.endswith(ALL):
        return frozenset({pattern} & offered().keys())
    entity = pattern.removesuffix(ALL)
    return frozenset(type_ for type_, contract in offered().items() if contract.entity == entity)


def may_see(audience: str | None, *, org_wide: bool) -> bool:
    """Whether a subscription has an event of that audience: what is for one person, or for owners and administrators
    only, goes to those subscriptions that one of them made."""
    return org_wide or EVERYBODY in (audience or "").split()

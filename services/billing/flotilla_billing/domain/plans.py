"""Plans: what each costs and allows. They are data (plans.toml), read once and checked."""

import hashlib
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from flotilla.events.base import Money
from flotilla.features import FEATURES

from flotilla_billing.domain.money import CURRENCIES

PLANS: Final = Path(__file__).parent.parent / "plans.toml"


class Kind(StrEnum):
    """How a feature is counted."""

    USE = "use"
    """Each use, anew in each period."""
    HELD = "held"
    """What is there, for as long as it is."""
    RATE = "rate"
    """So much in any hour; the gateway counts it, and nobody else does."""
    LIMIT = "limit"
    """So much at a time, as its title says; the service it belongs to counts it, and nobody else does."""
    SWITCH = "switch"
    """Not at all: to be had or not."""


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that plans allow."""

    kind: Kind
    title: str


class Overage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is charged for each started `per` of use past the limit, in minor units."""

    amount_minor: int
    per: int

    def cost(self, past_limit: int) -> int:
        """Of so much use past the limit."""
        return -(-max(0, past_limit) // self.per) * self.amount_minor


class Allowance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of a feature a plan allows."""

    limit: int | None = None
    """None: as much as one likes."""
    beyond: Literal["block", "overage"] = "block"
    overage: Overage | None = None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an organization subscribes to."""

    title: str
    version: int
    price: Money
    features: dict[str, Allowance]
    by_contract: bool = False
    """Whether an organization's own terms may say other limits."""


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How every organization begins."""

    plan: str
    days: int
    then: str


class Plans(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them."""

    trial: Trial
    features: dict[str, Feature]
    plans: dict[str, Plan]

    def __post_init__(self) -> None:
        for slug, plan in self.plans.items():
            if unknown := plan.features.keys() - self.features.keys():
                raise ValueError(f"{slug} allows features that there are not: {', '.join(sorted(unknown))}")
            if plan.price.currency not in CURRENCIES or plan.price.amount_minor < 0:
                raise ValueError(f"{slug} has no price")
            for name, allowance in plan.features.items():
                if (allowance.beyond == "overage") != (allowance.overage is not None):
                    raise ValueError(f"{slug}: {name} is charged past its limit, or it is not")
        if not {self.trial.plan, self.trial.then} <= self.plans.keys():
            raise ValueError("the trial names a plan that there is not")

    def allowance(
        self, plan: str, feature: str, terms: Mapping[str, int | None] | None = None
    ) -> Allowance | None:
        """How much of a feature a plan allows, under the organization's own terms; None where it doesn't have it."""
        allowed = self.plans[plan].features.get(feature)
        if allowed is None or not terms or feature not in terms or not self.plans[plan].by_contract:
            return allowed
        return msgspec.structs.replace(allowed, limit=terms[feature])

    def resets(self, feature: str) -> bool:
        """Whether use of it is counted anew in each period; one that no plan has any more is not."""
        found = self.features.get(feature)
        return found is not None and found.kind is Kind.USE


@cache
def plans() -> Plans:
    """The plans of this version of the service."""
    told: dict[str, Any] = tomllib.loads(PLANS.read_text())
    read = msgspec.convert(told, Plans)
    if read.features.keys() != FEATURES:
        raise ValueError("plans.toml names other features than the fleet has (flotilla.features)")
    return read


@cache
def edition() -> bytes:
    """Which plans these are: a hash, another one for each change of plans.toml."""
    return hashlib.sha256(PLANS.read_bytes()).digest()

"""Plans: what each costs and allows. They are data (plans.toml), read once and checked."""

import tomllib
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from flotilla.events.base import Money

from flotilla_billing.domain.money import CURRENCIES


class Kind(StrEnum):
    """How a feature is counted."""

    USE = "use"
    """Each use, anew in each period."""
    HELD = "held"
    """What is there, for as long as it is."""
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

    def allowance(self, plan: str, feature: str) -> Allowance | None:
        """How much of a feature a plan allows; None where it doesn't have it."""
        return self.plans[plan].features.get(feature)


@cache
def plans() -> Plans:
    """The plans of this version of the service."""
    text = (Path(__file__).parent.parent / "plans.toml").read_text()
    told: dict[str, Any] = tomllib.loads(text)
    return msgspec.convert(told, Plans)

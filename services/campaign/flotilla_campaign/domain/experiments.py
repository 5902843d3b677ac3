"""Which of several texts does best: the pooled two-proportion z-test (Fleiss, Levin and Paik, Statistical Methods for
Rates and Proportions, 3rd edition, section 3.1), looked at a few times only.

Whoever looks at a test again and again until it agrees will be wrong more often than they say. So there are five looks,
at `least` messages of each text and at every doubling of that, and by Bonferroni's inequality each look, and each
comparison in it, spends its even share of what may be wrong. That is on the safe side: it takes more messages.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

LOOKS: Final = 5
NAMES: Final = "abcde"
"""The texts of a step, in their order."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One text: how many got it long enough ago, and how many of them did what is counted."""

    variant: str
    sent: int
    converted: int

    @property
    def rate(self) -> float:
        """The share of those who did."""
        return self.converted / self.sent if self.sent else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of it."""

    winner: str | None
    """None: no difference was shown, and none is looked for any more."""
    p_value: float
    """Of the closest comparison of the best with another."""


def variant_of(enrolment_id: UUID, step: int, count: int) -> str:
    """The text that this run gets: always the same, and as evenly spread as SHA-256 is."""
    digest = hashlib.sha256(f"{enrolment_id}:{step}".encode()).digest()
    return NAMES[int.from_bytes(digest[:8], "big") % count]


def p_value(one: Arm, other: Arm) -> float:
    """How likely a difference at least this great is where there is none; two-sided."""
    both = one.sent + other.sent
    pooled = (one.converted + other.converted) / both if both else 0.0
    spread = (
        math.sqrt(pooled * (1 - pooled) * (1 / one.sent + 1 / other.sent)) if one.sent and other.sent else 0.0
    )
    if spread == 0.0:
        return 1.0
    return math.erfc(abs(one.rate - other.rate) / spread / math.sqrt(2))


def looks_due(arms: Sequence[Arm], least: int) -> int:
    """How many looks the numbers are good for by now."""
    fewest = min(arm.sent for arm in arms)
    return sum(fewest >= least << look for look in range(LOOKS))


def look(arms: Sequence[Arm], confidence: float, number: int) -> Verdict | None:
    """Look for the `number`th time, from 1: the verdict; none where it is to be looked at again."""
    best = max(arms, key=lambda arm: arm.rate)
    closest = max(p_value(best, arm) for arm in arms if arm is not best)
    if closest <= (1 - confidence) / (LOOKS * (len(arms) - 1)):
        return Verdict(best.variant, closest)
    return Verdict(None, closest) if number == LOOKS else None

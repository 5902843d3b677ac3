"""Rules tried on the past: what a stretch of it comes to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from flotilla_automation.domain.fields import Occurrence
from flotilla_automation.domain.rules import Plan
from flotilla_automation.domain.trial import attempt

MOST_EXAMPLES: Final = 50


@dataclass
class Tally:
    """Counts of events, and the newest that the rule would have run for."""

    looked: int = 0
    matched: int = 0
    nearly: int = 0
    """One comparison alone kept the rule from running."""
    unfit: int = 0
    """It would have run, and failed for what the event does not hold."""
    examples: list[dict[str, Any]] = field(default_factory=list)


def tally(plan: Plan, events: Iterable[Occurrence], now: datetime) -> Tally:
    """Look at events, the older ones first."""
    found = Tally()
    for event in events:
        trial = attempt(plan, event, now)
        found.looked += 1
        found.matched += trial.evaluation.holds
        found.nearly += trial.evaluation.nearly
        if not trial.evaluation.holds:
            continue
        unfit = next((each["unfit"] for each in trial.actions if "unfit" in each), None)
        found.unfit += unfit is not None
        found.examples.append(
            {
                "event_id": str(event.envelope.id),
                "subject": event.envelope.subject,
                "time": event.envelope.time.isoformat(),
                "actions": [each["type"] for each in trial.actions],
                "unfit": unfit,
            }
        )
    found.examples = newest(found.examples)
    return found


def newest(examples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """So many of them as are kept."""
    return examples[-MOST_EXAMPLES:]

"""What kyb holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy

_BUSINESSES: Final = "of businesses, and what public registers say of them"

privacy: Final = Privacy(
    harmless={
        "counterparties": _BUSINESSES,
        "standings": _BUSINESSES,
        "checks": _BUSINESSES,
        "check_results": _BUSINESSES,
        "evidence": _BUSINESSES,
        "snapshots": _BUSINESSES,
        "alerts": _BUSINESSES,
        "onboardings": "decisions about businesses, and who made them",
        "sources": "names of registers, and whether they answer",
    },
)

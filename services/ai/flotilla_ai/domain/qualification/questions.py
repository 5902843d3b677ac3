"""The four questions of BANT."""

from enum import StrEnum
from typing import Final


class Question(StrEnum):
    """What has to be known of somebody who may buy."""

    BUDGET = "budget"
    """Whether there is money for it; asking for a price says nothing of that."""
    AUTHORITY = "authority"
    """Whether who writes decides."""
    NEED = "need"
    """Whether something is to be solved or bought."""
    TIMELINE = "timeline"
    """Whether it has a time."""


QUESTIONS: Final = tuple(Question)

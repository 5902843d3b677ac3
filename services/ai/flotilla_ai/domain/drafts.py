"""The life of a draft.

    requested ──▶ generated ──▶ approved
        │             ├───────▶ rejected
        └──▶ failed ◀─┘

`requested` only where a hosted provider is asked; the local one generates at once. A newer message of the
customer supersedes what stands undecided before it: a person who approves always answers the last word.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a draft is."""

    REQUESTED = "requested"
    GENERATED = "generated"
    APPROVED = "approved"
    REJECTED = "rejected"
    FAILED = "failed"


class Failure(StrEnum):
    """Why there is no draft, and a person is asked to answer."""

    NOTHING_KNOWN = "nothing_known"
    """The knowledge has no answer."""
    REFUSED = "refused_by_supervisor"
    """The verdict says why."""
    SUPERSEDED = "superseded"
    """The customer wrote again."""
    DEADLINE = "deadline_passed"
    """The provider did not answer in time."""
    UNAVAILABLE = "provider_unavailable"
    """The provider cannot be used, and the knowledge has no answer either."""
    BUDGET = "budget_used_up"
    """The plan's AI is used up, so no hosted model was asked. Also said of a draft that the local one made instead."""
    SPAM = "looks_like_spam"
    UNKNOWN_CONVERSATION = "unknown_conversation"
    """Asked for, of a conversation in which no customer wrote."""
    UNDECIDED = "undecided"
    """Nobody decided until it was too old to be sent."""


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.REQUESTED: frozenset({State.GENERATED, State.FAILED}),
    State.GENERATED: frozenset({State.APPROVED, State.REJECTED, State.FAILED}),
    State.APPROVED: frozenset(),
    State.REJECTED: frozenset(),
    State.FAILED: frozenset(),
}
"""What may follow on what; every UPDATE names the state it starts from."""

UNDECIDED: Final = frozenset(state for state, following in TRANSITIONS.items() if following)
"""States in which a newer message supersedes a draft."""


def before(target: State) -> list[str]:
    """The states from which `target` may be reached."""
    return sorted(state.value for state, following in TRANSITIONS.items() if target in following)

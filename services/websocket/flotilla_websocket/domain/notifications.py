"""What becomes of the wish that a person is told something."""

from collections.abc import Sequence
from typing import Final

import msgspec

EVERY_KIND: Final = "*"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """How a person wants to be told of one kind of thing."""

    kind: str
    """`task.due`, all of a family: `task`, or `*` for everything."""
    in_app: bool = True
    email: bool = False


DEFAULT: Final = Choice(kind=EVERY_KIND)


def choice_for(kind: str, choices: Sequence[Choice]) -> Choice:
    """What holds for a kind: what was chosen for it, for its family, for everything; else shown in the app."""
    by_kind = {choice.kind: choice for choice in choices}
    for name in (kind, kind.partition(".")[0], EVERY_KIND):
        if name in by_kind:
            return by_kind[name]
    return DEFAULT


def objection(kind: str, title: str | None, member_state: str, choices: Sequence[Choice]) -> str | None:
    """Why a member is not told, as `notification.failed` says it; None where they are."""
    if title is None:
        return "erased"
    if member_state != "active":
        return "deactivated"
    choice = choice_for(kind, choices)
    if choice.in_app:
        return None
    return "no_channel" if choice.email else "muted"

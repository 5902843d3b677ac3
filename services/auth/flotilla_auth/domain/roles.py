"""Who may give which role to whom."""

from collections.abc import Mapping

from flotilla.problems import ConflictError, ForbiddenError
from flotilla.security.permissions import is_less

from flotilla_auth.domain.entities import DEACTIVATED, User

OWNER = "owner"


def check_grant(actor: User, role: str) -> None:
    """A 403 problem where `actor` may not give `role`: only owners make owners."""
    if role == OWNER and actor.role != OWNER:
        raise ForbiddenError("Only an owner can make somebody an owner.")


def check_change(actor: User, target: User, *, role: str, state: str, owners: int) -> None:
    """Raise the problem that forbids giving `target` this role and state; `owners` counts the active ones."""
    if (role, state) == (target.role, target.state):
        return
    if target.role == OWNER and actor.role != OWNER:
        raise ForbiddenError("Only an owner can change an owner.")
    if role != target.role:
        check_grant(actor, role)
    leaves = target.role == OWNER and target.active and (role != OWNER or state == DEACTIVATED)
    if leaves and owners <= 1:
        raise ConflictError("An organization keeps at least one owner: make somebody else an owner first.")


def loses_ownership(before: User, now: User) -> bool:
    """Whether they may no longer what owners alone may: who administers has the same permissions, and not that."""
    return before.role == OWNER and now.role != OWNER


def loses_permissions(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether `after` lacks something that `before` has, or has it for less: then sessions must end."""
    return is_less(before, after)

"""The kinds of kyb's jobs and timers, and what each remembers."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.cause import Cause
from flotilla.store.postgres import Transaction

from flotilla_kyb.domain.identity import Identity
from flotilla_kyb.domain.timing import next_turn
from flotilla_kyb.store.checks import NOW

AUDIENCE: Final = "org"
ACTOR: Final = "service:kyb"
ASK: Final = "ask"
"""`ask_<source>`: a kind for each register, so that each has as many hands as it may."""
DEADLINE: Final = "check_deadline"
MONITOR: Final = "monitor"
RECHECK: Final = "recheck"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A register to be asked, for one check, about an identity as it was when the check began."""

    check_id: UUID
    counterparty_id: UUID
    source: str
    asked: dict[str, Any]
    deadline_at: datetime
    tried: int = 0
    """Tries of this check that the register did not answer."""

    @property
    def identity(self) -> Identity:
        """What it is asked about."""
        return Identity(**self.asked)

    @property
    def key(self) -> str:
        """The job's."""
        return f"{self.check_id}:{self.source}"


class Overdue(msgspec.Struct, frozen=True):
    """The check that ends now, whoever has not answered."""

    counterparty_id: UUID
    check_id: UUID


class About(msgspec.Struct, frozen=True):
    """The counterparty whose turn it is."""

    counterparty_id: UUID


async def arm_monitor(tx: Transaction, org: UUID, counterparty_id: UUID, monitoring: str) -> None:
    """Set the next check by schedule, by the database's clock, or take it back."""
    wait = next_turn(monitoring)
    if wait is None:
        tx.cancel_timer(MONITOR, str(counterparty_id))
        return
    due_at = await tx.fetchval(NOW) + wait
    tx.set_timer(
        MONITOR, str(counterparty_id), due_at, About(counterparty_id), org=org, cause=Cause.fresh(ACTOR)
    )

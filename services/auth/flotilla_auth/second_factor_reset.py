"""People who lost their phone, their passkeys and their recovery codes, helped by Flotilla's operators.

An operator's word (`flotilla people remove-second-factor`) is a timer that is due at once in each of the person's
organizations, so it is carried out once in each, here, in the transaction that says so, also where auth is down as
it is given.
"""

from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.events.security import UserSecondFactorReset
from flotilla.store.postgres import Transaction

from flotilla_auth import events, sessions
from flotilla_auth.mail import sending
from flotilla_auth.store import factors, passkeys, pending_sign_ins

LONGEST_REASON: Final = 500


class Reset(msgspec.Struct, frozen=True):
    """What an operator says, and what there was as they said it."""

    user_id: UUID
    reason: str
    totp: bool
    passkeys: int
    recovery_codes: int

    def changed(self) -> dict[str, list[object]]:
        """What is different from now on."""
        had = {"totp": self.totp, "passkeys": self.passkeys, "recovery_codes": self.recovery_codes}
        return {name: [value, type(value)()] for name, value in had.items() if value}


async def _carry_out(tx: Transaction, job: Job) -> None:
    reset: Reset = job.payload
    user_id = reset.user_id
    told = UserSecondFactorReset(
        user_id=user_id, reason=reset.reason[:LONGEST_REASON], changed=reset.changed()
    )
    # Holds the person in this organization: whoever is half-way in begins their session before, and it is ended.
    await events.security(tx, [job.org], user_id, told)
    if await _remove(tx, user_id):
        sending.to_person(tx, "second_factors_reset", job.org, user_id, job.cause)
    await sessions.end_everywhere(tx, [job.org], user_id, "second_factor_changed")


async def _remove(tx: Transaction, user_id: UUID) -> bool:
    """False where another organization's turn, or they themselves, had done it."""
    totp = await factors.remove_totp(tx, user_id)
    keys = await passkeys.delete_all(tx, user_id)
    await factors.replace_codes(tx, user_id, [])
    await pending_sign_ins.delete_of(tx, user_id)
    return totp or keys > 0


reset: Final = TimerKind("second_factor_reset", Reset, _carry_out)

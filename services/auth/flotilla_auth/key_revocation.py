"""Signing keys that somebody else may have, revoked by Flotilla's operators.

An operator's word (`flotilla keys signing revoke`) is a timer that is due at once, carried out here in the transaction
that tells the fleet, also where auth is down as it is given.
"""

from typing import Final

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.store.postgres import Transaction

from flotilla_auth import signing


class Revoke(msgspec.Struct, frozen=True):
    """All keys of before."""


async def _carry_out(tx: Transaction, _: Job) -> None:
    await signing.revoke(tx)


revocation: Final = TimerKind("signing_keys_revoke", Revoke, _carry_out)

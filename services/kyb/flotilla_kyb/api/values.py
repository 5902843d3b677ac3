"""Values as callers write and read them."""

from typing import Annotated, Final, Literal
from uuid import UUID

from flotilla.http import NotFoundError, UnprocessableError
from flotilla.store.postgres import Transaction
from pydantic import Field

from flotilla_kyb.domain.counterparty import Counterparty
from flotilla_kyb.domain.identity import Identity, IdentityError, identify
from flotilla_kyb.store import counterparties as store

LAST_ID: Final = UUID(int=(1 << 128) - 1)
"""After every id: where the first page of newest things begins."""


Text = Annotated[str, Field(max_length=1000)]
Number = Annotated[str, Field(max_length=60)]
Monitored = Literal["none", "daily", "weekly"]
State = Literal["unchecked", "verified", "invalid", "unverified"]
Level = Literal["low", "medium", "high"]
Severity = Literal["low", "medium", "high", "critical"]
Verdict = Literal["valid", "invalid", "unverified"]


def identified(values: dict[str, str | None]) -> Identity:
    """The identity; a 422 problem that points at each identifier that cannot be right."""
    try:
        return identify(values)
    except IdentityError as error:
        raise UnprocessableError(
            "Correct the fields named in `errors`.",
            errors=[{"pointer": f"/{field}", "detail": detail} for field, detail in error.errors.items()],
        ) from None


async def there(tx: Transaction, org: UUID, counterparty_id: UUID, *, lock: bool = False) -> Counterparty:
    """The counterparty; a 404 problem where there is none."""
    found = await store.read(tx, org, counterparty_id, lock=lock)
    if found is None:
        raise NotFoundError("There is no counterparty with this id.")
    return found

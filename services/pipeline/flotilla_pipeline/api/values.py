"""Values as callers write them, parsed at the edge; what does not fit is a problem that points at it."""

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from flotilla.events.base import Money
from flotilla.http import ConflictError, UnprocessableError
from flotilla.http.bodies import Shown
from flotilla.store.postgres import Transaction
from pydantic import AfterValidator, ConfigDict, Field

from flotilla_pipeline.domain.deals import MoveRefusedError
from flotilla_pipeline.store import people

MAX_MINOR = 2**53 - 1
"""The largest whole number that every JSON reader keeps."""


def _one_line(text: str) -> str:
    line = unicodedata.normalize("NFC", text).strip()
    if not line:
        raise ValueError("write something")
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in line):
        raise ValueError("write it on one line, without control characters")
    return line


Line = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Reason = Annotated[str, Field(max_length=500), AfterValidator(_one_line)]
Probability = Annotated[int, Field(ge=0, le=100)]
RotsAfter = Annotated[int, Field(ge=1, le=365)]
StageKind = Literal["open", "won", "lost"]
Required = Literal["value", "contact_id", "company_id", "owner_id", "expected_close_on"]
LossReason = Literal["price", "competitor", "timing", "no_need", "no_answer", "other"]
State = Literal["open", "won", "closed", "lost"]


class MoneyValue(Shown):
    """An amount of a currency, in its smallest unit."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")
    amount_minor: Annotated[int, Field(ge=0, le=MAX_MINOR)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    def money(self) -> Money:
        """As the domain has it."""
        return Money(amount_minor=self.amount_minor, currency=self.currency)


WORDS = {
    "owner_id": "Nobody with this id works here with a role that takes work.",
    "contact_id": "There is no contact with this id.",
    "company_id": "There is no company with this id.",
}


async def check_known(tx: Transaction, org: UUID, given: Mapping[str, Any]) -> None:
    """A 422 problem that points at each id that names nothing here."""
    ids = {field: given[field] for field in WORDS if given.get(field) is not None}
    if ids and (unknown := await people.unknown(tx, org, ids)):
        errors = [{"pointer": f"/{field}", "detail": WORDS[field]} for field in unknown]
        raise UnprocessableError("Correct the ids named in `errors`.", errors=errors)


def refused(error: MoveRefusedError) -> ConflictError | UnprocessableError:
    """The problem of a move that may not be: 422 where the caller can say more, 409 where it is the deal's state."""
    if error.reason in ("fields_missing", "loss_reason_missing", "not_found"):
        pointers = error.missing or ("stage_id",)
        errors = [{"pointer": f"/{field}", "detail": str(error)} for field in pointers]
        return UnprocessableError(str(error), errors=errors, reason=error.reason)
    return ConflictError(str(error), reason=error.reason)

"""What connectors of telephones are asked to do and bring (INT-8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from flotilla_integrations.adapters.base import Action

VOICE: Final = "voice"
"""The kind of these connectors."""
PLACE_CALL: Final = "place_call"
FIND_CALL: Final = "find_call"


class PlaceCall(msgspec.Struct, frozen=True, kw_only=True):
    """Call somebody."""

    call_id: UUID
    """Ours; the vendor keeps it with the call."""
    number: str
    name: str | None
    assistant: str | None
    """Who speaks, by the vendor's id; the account's own where it isn't said."""


class PlacedCall(msgspec.Struct, frozen=True, kw_only=True):
    """The vendor is calling."""

    external_id: str


class FindCall(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a call whose answer was lost is under way."""

    call_id: UUID
    since: datetime


class FoundCall(msgspec.Struct, frozen=True, kw_only=True):
    """Its id, where there is one."""

    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """A call is over."""

    external_id: str
    call_id: UUID | None
    """Ours, where we placed it."""
    outbound: bool
    number: str | None
    ended_reason: str
    started_at: datetime | None
    ended_at: datetime
    duration_seconds: int
    cost_usd: Decimal | None
    summary: str | None
    transcript: str | None
    recording_url: str | None


ACTIONS: Final[Mapping[str, Action]] = {
    PLACE_CALL: Action(PlaceCall, PlacedCall),
    FIND_CALL: Action(FindCall, FoundCall),
}

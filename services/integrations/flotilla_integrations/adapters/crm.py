"""What connectors of CRMs are asked for and bring (INT-10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from flotilla_integrations.adapters.base import Action

CRM: Final = "crm"
"""The kind of these connectors."""
READ_RECORDS: Final = "read_records"
MOST_RECORDS: Final = 100
"""Of one reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordNotice:
    """Something has happened to a record; what it is now must be read."""

    object_type: str
    external_id: str
    deleted: bool
    occurred_at: datetime


class ReadRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one type, as they are now."""

    object_type: str
    external_ids: tuple[str, ...]


class ReadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it is now."""

    external_id: str
    fields: dict[str, str | None]
    updated_at: datetime
    archived: bool = False


class RecordsRead(msgspec.Struct, frozen=True, kw_only=True):
    """Those of them that are there."""

    records: tuple[ReadRecord, ...]


ACTIONS: Final[Mapping[str, Action]] = {READ_RECORDS: Action(ReadRecords, RecordsRead)}

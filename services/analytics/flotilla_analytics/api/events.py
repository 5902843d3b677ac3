"""What archived events look like over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flotilla.store.postgres import Row
from pydantic import BaseModel, Field

from flotilla_analytics.archiving import Opened, Personal


class ArchivedEvent(BaseModel):
    """One event, as it was published."""

    id: UUID
    type: str = Field(examples=["message.received.v1"])
    source: str
    subject: str = Field(description="The id of the entity it is about.")
    time: datetime
    sequence: int = Field(description="The owner's count of this entity's changes.")
    correlation_id: UUID
    causation_id: UUID | None = Field(description="The event that caused it; null where a request did.")
    request_id: UUID | None
    actor: str | None = Field(examples=["user:0198…"])
    data: dict[str, Any] = Field(
        description="Personal fields are null where they are redacted, were erased or have aged out."
    )
    personal: Personal = Field(
        description="What became of the personal fields: `none` (there are none), `shown`, `redacted` (not for you),"
        " `erased` (the person was), or `aged_out` (older than the organization keeps them)."
    )


class JourneyStep(ArchivedEvent):
    """One event of a journey."""

    depth: int = Field(description="How many causes of this journey lie before it.")


def shown(row: Row, opened: Opened) -> ArchivedEvent:
    """An archived row with its data opened or redacted."""
    return ArchivedEvent(
        data=opened.data,
        personal=opened.personal,
        **{name: row[name] for name in ArchivedEvent.model_fields if name not in ("data", "personal")},
    )

"""Analyses over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from flotilla.http import NotFoundError, Routes, Tx, Who
from pydantic import BaseModel, Field

from flotilla_ai.store import analyses as store

analyses = Routes("/v1/analyses", tag="analyses")


class AnalysisOut(BaseModel):
    """What was found in a customer's message."""

    message_id: UUID
    conversation_id: UUID
    language: str
    language_confidence: float
    intent: str
    intent_confidence: float
    agent: str
    agent_confidence: float
    pii: dict[str, int] = Field(description="How many of each kind of personal data were masked.")
    injected: bool = Field(description="Whether it gives orders to a model.")
    analyzed_at: datetime


@analyses.get("", permission="drafts:read")
async def read_analysis(tx: Tx, who: Who, message_id: Annotated[UUID, Query()]) -> AnalysisOut:
    """The analysis of one message."""
    row = await store.read(tx, who.org, message_id)
    if row is None:
        raise NotFoundError("There is no analysis of such a message.")
    return AnalysisOut.model_validate({**row, "message_id": row["id"]})

"""Events of crm: what becomes of leads. `lead.created` stands in `flotilla.events.crm`."""

from functools import partial
from uuid import UUID

import msgspec

from flotilla.events.base import Event, Moment, event

_event = partial(event, owner="crm")


class Lead(Event, frozen=True, kw_only=True):
    """The state of a lead."""

    lead_id: UUID
    contact_id: UUID
    conversation_id: UUID | None
    company_id: UUID | None
    owner_id: UUID | None
    status: str
    """`new`, `working`, `unqualified` or `converted`."""
    source: str
    """Where it came from: `conversation`, or what a person entered."""
    score: int
    """From 0 to 100; `lead.scored` gives the reasons."""
    deal_id: UUID | None
    """The deal that it became."""
    qualified_at: Moment
    converted_at: Moment | None


@_event("lead.updated.v1", subject="lead_id", person=("contact_id",))
class LeadUpdated(Lead, frozen=True, kw_only=True):
    """A person changed its owner, status or source."""


@_event("lead.converted.v1", subject="lead_id", person=("contact_id",))
class LeadConverted(Lead, frozen=True, kw_only=True):
    """They bought: the deal with them was closed, or a person said so."""


class ScoreReason(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule gave."""

    rule: str
    """`budget`, `authority`, `need`, `timeline`, `completeness`, `recency` or `company_size`."""
    points: int
    most: int
    """The points it gives at most."""
    because: str
    """What it found, without anything personal: `email and phone are known`."""


@_event("lead.scored.v1", subject="lead_id", person=("contact_id",))
class LeadScored(Lead, frozen=True, kw_only=True):
    """Its score is another, or its reasons are."""

    reasons: list[ScoreReason]
    """One for each rule; their points add up to the score."""


@_event("lead.routed.v1", subject="lead_id", person=("contact_id",))
class LeadRouted(Lead, frozen=True, kw_only=True):
    """It was given to somebody by rule."""

    rule: str
    """`contact_owner`, `round_robin` or `least_loaded`."""

"""Settings of the ai service."""

from flotilla.settings import Settings
from pydantic import Field


class AiSettings(Settings):
    """`FLOTILLA_AI_*` beside what every service is told."""

    ai_provider_seconds: float = Field(default=25.0, gt=0, le=50)
    """How long a hosted provider may take for one draft, tools and retries included."""
    ai_draft_deadline_seconds: float = Field(default=45.0, gt=0)
    """When a requested draft has failed for good and a person is asked."""
    ai_decide_within_seconds: float = Field(default=86_400.0, gt=0)
    """After how long an undecided draft is too old to be sent."""
    ai_usage_every_seconds: float = Field(default=10.0, gt=0)
    ai_qualified_from: int = Field(default=60, ge=1, le=100)
    """Points of a hundred from which a conversation is a qualified lead: more than half of BANT is there."""
    ai_private_providers: bool = False
    """Whether a provider may stand at a private address or be reached without TLS: a model of one's own."""
    ai_cache_megabytes: int = Field(default=48, ge=1)
    """How much knowledge is kept in memory."""

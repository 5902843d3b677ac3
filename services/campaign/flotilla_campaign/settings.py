"""What campaign is told beside what every service is."""

from flotilla.settings import Settings


class CampaignSettings(Settings):
    """Limits."""

    sequences_limit: int = 200
    """Sequences an organization may have."""
    answer_seconds: float = 86_400.0
    """How long the channel may take to take a message."""
    listen_seconds: float = 30 * 86_400.0
    """How long after an enrolment's end a message of the person is still heard: they may unsubscribe late."""
    experiment_seconds: float = 600.0
    """How often the numbers of an experiment are looked after; how often they are judged, they decide themselves."""
    experiment_settle_seconds: float = 86_400.0
    """How long people have to answer, open or click before a message counts in an experiment."""
    unbind_after_seconds: float = 60.0
    """How long the lane stays bound that nobody wants; longer than any request takes."""

"""What an operator sees of drafts and of the providers that make them."""

from prometheus_client import Counter, Histogram

DRAFTS = Counter("flotilla_ai_drafts_total", "Drafts by what became of them", ["provider", "state", "reason"])
PROVIDER_SECONDS = Histogram(
    "flotilla_ai_provider_seconds",
    "A hosted provider's answers",
    buckets=(0.25, 0.5, 1, 2, 4, 8, 16, 32),
)
PROVIDER_ERRORS = Counter("flotilla_ai_provider_errors_total", "Answers not had", ["why"])

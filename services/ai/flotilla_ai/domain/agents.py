"""Which agent takes a message: a weighing of all intents it may have, and of who had the conversation before."""

from operator import mul
from typing import Final

from flotilla_ai.domain.model import Ranking

AGENTS: Final = ("sales", "support", "billing", "operations")

# Share of each agent (in the order of AGENTS) in messages of an intent. Rows without a clear owner are flat:
# there the conversation's last agent stays.
_SHARES: Final[dict[str, tuple[float, float, float, float]]] = {
    "pricing": (0.90, 0.02, 0.06, 0.02),
    "demo_request": (0.94, 0.03, 0.01, 0.02),
    "order_status": (0.02, 0.10, 0.02, 0.86),
    "refund": (0.02, 0.08, 0.86, 0.04),
    "invoice_question": (0.04, 0.03, 0.91, 0.02),
    "technical_problem": (0.01, 0.95, 0.01, 0.03),
    "how_to": (0.04, 0.91, 0.02, 0.03),
    "cancellation": (0.06, 0.12, 0.74, 0.08),
    "complaint": (0.02, 0.78, 0.06, 0.14),
    "booking": (0.14, 0.06, 0.01, 0.79),
    "greeting": (0.26, 0.36, 0.18, 0.20),
    "thanks": (0.22, 0.40, 0.18, 0.20),
    "spam": (0.10, 0.70, 0.10, 0.10),
    "other": (0.22, 0.44, 0.14, 0.20),
}
_STAYS: Final = 3.0
"""How much likelier the agent who had the conversation's last message is."""


def choose_agent(intents: Ranking, last_agent: str | None = None) -> tuple[str, float]:
    """The agent and how sure that is."""
    rows = [_SHARES[intent] for intent in intents.labels]
    weights = [sum(map(mul, intents.probabilities, shares)) for shares in zip(*rows, strict=True)]
    if last_agent in AGENTS:
        weights[AGENTS.index(last_agent)] *= _STAYS
    best = max(range(len(AGENTS)), key=weights.__getitem__)
    return AGENTS[best], round(weights[best] / sum(weights), 4)

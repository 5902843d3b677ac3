"""All that is learnt of one message before anything is drafted."""

from dataclasses import dataclass, field
from typing import Final

from flotilla_ai.domain.agents import choose_agent
from flotilla_ai.domain.language import UNDETERMINED, Language, detect
from flotilla_ai.domain.model import Bag, Ranking, sparse, trained
from flotilla_ai.domain.pii import PLACEHOLDER, Masked, mask
from flotilla_ai.domain.supervisor import injected
from flotilla_ai.domain.text import Features, features_of

SPAM_FROM: Final = 0.8
"""Confidence from which spam is left without a draft."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a message is in, about, and whose it is."""

    language: Language
    intents: Ranking
    agent: str
    agent_confidence: float
    masked: Masked
    injected: bool
    features: Features = field(repr=False)
    """Of the masked text: what the knowledge is searched with."""
    bag: Bag = field(repr=False)
    """The whole text as the trained models see it."""

    @property
    def intent(self) -> str:
        """The likeliest."""
        return self.intents.best

    @property
    def spam(self) -> bool:
        """Whether nobody needs to answer."""
        return self.intents.best == "spam" and self.intents.confidence >= SPAM_FROM


def analyze(
    text: str, *, hint: str | None = None, names: tuple[str, ...] = (), last_agent: str | None = None
) -> Analysis:
    """Analyse a message; about a millisecond.

    `hint`: the sender's language as the channel has it; `names`: how the channel calls the sender;
    `last_agent`: who had the conversation's last message.
    """
    features = features_of(text)
    bag = sparse(features)
    intents, languages = trained().rank(bag)
    language = detect(text, hint, features, languages)
    agent, agent_confidence = choose_agent(intents, last_agent)
    spoken = language.code if language.code != UNDETERMINED else "en"
    masked = mask(text, spoken, names)
    return Analysis(
        language=language,
        intents=intents,
        agent=agent,
        agent_confidence=agent_confidence,
        masked=masked,
        injected=injected(text),
        # A number or a name says nothing of what is asked; left in, the knowledge seems not to have it.
        features=features_of(PLACEHOLDER.sub(" ", masked.text)) if masked.counts else features,
        bag=bag,
    )

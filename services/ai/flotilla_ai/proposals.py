"""A proposed reply on its way to being a draft: composed here or answered elsewhere, then judged."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from flotilla.events.ai import Citation, Verdict
from flotilla.events.messaging import MessageReceived

from flotilla_ai.domain.analysis import Analysis, analyze
from flotilla_ai.domain.compose import Addressee, Quote, Reply, compose, first_name_of
from flotilla_ai.domain.drafts import Failure, State
from flotilla_ai.domain.language import UNDETERMINED
from flotilla_ai.domain.policies import DONE, POLICY, Action, Policy, Violation, masked, violations_in
from flotilla_ai.domain.supervisor import judge
from flotilla_ai.library import Shelf

LOCAL: Final = "local"
LONGEST_QUOTE: Final = 700
LONGEST_REPLY: Final = 4_000
"""Characters: what an event may carry, in the widest letters."""
_HITS: Final = 4


@dataclass(frozen=True, slots=True)
class Proposal:
    """What becomes of a message: a text that a person may approve, or the reason why there is none."""

    state: State
    reason: Failure | None
    provider: str
    model: str = ""
    text: str | None = None
    confidence: float = 0.0
    citations: tuple[Citation, ...] = ()
    verdict: Verdict = field(default_factory=lambda: Verdict(allowed=True, reasons=[]))
    violations: tuple[Violation, ...] = ()
    """What of the organization's policies the text went against."""
    input_tokens: int = 0
    output_tokens: int = 0


def analysis_of(message: MessageReceived, last_agent: str | None = None) -> Analysis:
    """What is in a message; `last_agent` had the conversation's last one."""
    return analyze(
        message.text or "",
        hint=message.sender.language if message.sender else None,
        names=names_of(message),
        last_agent=last_agent,
    )


def failed(reason: Failure, provider: str = LOCAL, *, reasons: Sequence[str] = ()) -> Proposal:
    """No draft."""
    return Proposal(
        State.FAILED, reason, provider, verdict=Verdict(allowed=not reasons, reasons=list(reasons))
    )


def proposed_here(message: MessageReceived, analysis: Analysis, shelf: Shelf) -> Proposal:
    """The local provider's, judged."""
    if analysis.spam:
        return failed(Failure.SPAM)
    to = addressee(message, analysis, shelf)
    hits = shelf.index.search(analysis.features, to.language, _HITS)
    proposal = judged(
        compose(message.text or "", analysis.intent, to, hits),
        message,
        analysis,
        provider=LOCAL,
        policies=shelf.policies,
    )
    unused = proposal.state is State.GENERATED or proposal.reason is Failure.NOTHING_KNOWN
    if shelf.choice.hosted and shelf.is_over_budget and unused:
        return replace(proposal, reason=Failure.BUDGET)
    return proposal


def judged(
    reply: Reply | None,
    message: MessageReceived,
    analysis: Analysis,
    *,
    provider: str,
    model: str = "",
    policies: Sequence[Policy] = (),
) -> Proposal:
    """A reply as a person may be offered it, or not."""
    if reply is None:
        return failed(Failure.NOTHING_KNOWN, provider)
    text = reply.text[:LONGEST_REPLY]
    violations = violations_in(text, policies)
    allowed = not any(each.done == DONE[Action.REFUSE] for each in violations)
    judgement = judge(
        message.text or "",
        text,
        [f"{quote.chunk.heading} {quote.chunk.text}" for quote in reply.quotes],
        language=analysis.language.code,
        confidence=reply.confidence,
        known=known_of(message),
        ordered=analysis.injected,
    )
    allowed = allowed and judgement.allowed
    reasons = [reason.value for reason in judgement.reasons] + [POLICY] * bool(violations)
    return Proposal(
        state=State.GENERATED if allowed else State.FAILED,
        reason=None if allowed else Failure.REFUSED,
        provider=provider,
        model=model,
        text=masked(text, violations),
        confidence=reply.confidence,
        citations=tuple(_citation(quote) for quote in reply.quotes),
        verdict=Verdict(allowed=allowed, reasons=reasons),
        violations=tuple(violations),
    )


def addressee(message: MessageReceived, analysis: Analysis, shelf: Shelf) -> Addressee:
    """To whom a reply goes, and how it is written."""
    code = analysis.language.code
    return Addressee(
        language="en" if code == UNDETERMINED else code,
        tone=shelf.choice.tone,
        first_name=first_name_of(message.sender.name) if message.sender else None,
        greet=message.first,
    )


def known_of(message: MessageReceived) -> tuple[str, ...]:
    """What the channel says of the customer: it may be repeated to them."""
    sender = message.sender
    if sender is None:
        return ()
    said = (sender.name, sender.username, sender.email, sender.phone)
    return tuple(value for value in said if value)


def names_of(message: MessageReceived) -> tuple[str, ...]:
    """How the channel calls the customer: whole, then in parts."""
    sender = message.sender
    if sender is None:
        return ()
    return tuple(name for name in (sender.name, *(sender.name or "").split(), sender.username) if name)


def _citation(quote: Quote) -> Citation:
    return Citation(
        chunk_id=quote.chunk.id,
        source_id=quote.chunk.source_id,
        title=quote.chunk.title,
        quote=quote.text[:LONGEST_QUOTE],
        score=round(quote.score, 4),
    )

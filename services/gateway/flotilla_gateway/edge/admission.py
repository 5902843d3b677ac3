"""Whether a request may go on: a token in good standing, and a budget that is not used up."""

from typing import Final

from flotilla.problems import TooManyRequestsError, UnauthorizedError, UnavailableError

from flotilla_gateway import metrics
from flotilla_gateway.edge.clients import Caller
from flotilla_gateway.limits.limiter import Decision, Limiter, Verdict
from flotilla_gateway.trust.tokens import Session, Tokens

REJECTED: Final = "open"
"""The class in which rejected tokens count, by address: guessing them is limited too."""


async def admit(
    tokens: Tokens, limiter: Limiter, token: bytes | None, limit: str, caller: Caller
) -> tuple[Session, Decision]:
    """The session of a person's request and what is left of its budget; 401, 403, 429 or 503 problems."""
    try:
        if token is None:
            raise UnauthorizedError("Send `Authorization: Bearer <access token>`.")
        session = tokens.session(token)
    except UnauthorizedError:
        await count(limiter, REJECTED, caller.bucket)
        raise
    name = session.bucket if limit == "session" else caller.bucket
    decision = await count(limiter, limit, name, session.session)
    if decision.verdict is Verdict.REVOKED:
        raise UnauthorizedError("This session has ended. Sign in again.")
    return session, decision


async def count(limiter: Limiter, limit: str, name: str, session: str | None = None) -> Decision:
    """Count a request; a 429 problem where the budget is used up, 503 where nobody can say and it matters."""
    decision = await limiter.decide(limit, name, session)
    match decision.verdict:
        case Verdict.LIMITED:
            headers = {key.decode(): value.decode() for key, value in decision.headers}
            headers["retry-after"] = str(decision.retry_after)
            raise TooManyRequestsError(
                f"Try again in {decision.retry_after} s; `RateLimit-Policy` says what is allowed.",
                headers=headers,
            )
        case Verdict.UNDECIDED:
            metrics.UNDECIDED.inc()
            if limiter.classes[limit].closed_when_undecided:
                raise UnavailableError("Signing in is not possible right now.", headers={"retry-after": "5"})
    return decision

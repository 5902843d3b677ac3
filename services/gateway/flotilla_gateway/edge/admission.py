"""Whether a request may go on: a credential in good standing, and a budget that is not used up."""

from dataclasses import dataclass
from typing import Final

from flotilla.problems import TooManyRequestsError, UnauthorizedError, UnavailableError

from flotilla_gateway import metrics
from flotilla_gateway.edge.clients import Caller
from flotilla_gateway.limits.limiter import Decision, LimitClass, Limiter, Verdict
from flotilla_gateway.problems import AddressBlockedError
from flotilla_gateway.trust.entitlements import Entitlements
from flotilla_gateway.trust.session import Session
from flotilla_gateway.trust.sessions import Sessions

REJECTED: Final = "open"
"""The class in which rejected tokens count, by address: guessing them is limited too."""
OF_CALLERS: Final = "session"
"""Routes of this class count by who asks: people by themselves, programs by their organization's plan."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What decides about requests that somebody makes."""

    sessions: Sessions
    limiter: Limiter
    entitlements: Entitlements

    async def admit(
        self, credential: bytes | None, limit: str, caller: Caller, feature: str | None = None
    ) -> tuple[Session, Decision]:
        """Who asks, and what is left of their budget; 401, 402, 403, 429 or 503 problems."""
        try:
            if credential is None:
                raise UnauthorizedError("Send `Authorization: Bearer <access token or API key>`.")
            session = self.sessions.of(credential)
        except UnauthorizedError:
            await count(self.limiter, self.limiter.classes[REJECTED], caller.bucket, block=caller.block)
            raise
        budget, name = self._budget(session, limit, caller)
        decision = await count(self.limiter, budget, name, session.session, caller.block)
        if decision.verdict is Verdict.REVOKED:
            what = "program was revoked" if session.is_program else "session has ended. Sign in again"
            raise UnauthorizedError(f"This {what}.")
        if feature is not None:
            self.entitlements.check(session.org_id, feature)
        return session, decision

    def _budget(self, session: Session, limit: str, caller: Caller) -> tuple[LimitClass, str]:
        if limit != OF_CALLERS:
            return self.limiter.classes[limit], caller.bucket
        if session.is_program:
            budget = self.entitlements.budget(session.org_id)
            # Another plan's is another bucket: what was used up of a smaller one does not count in it.
            return budget, f"{budget.requests}:{session.bucket}"
        return self.limiter.classes[limit], session.bucket


async def count(
    limiter: Limiter, budget: LimitClass, name: str, session: str | None = None, block: str | None = None
) -> Decision:
    """Count a request; a 429 problem where the budget is used up, 403 where the address is blocked, 503 where nobody
    can say and it matters."""
    decision = await limiter.decide_within(budget, name, session, block)
    match decision.verdict:
        case Verdict.BLOCKED:
            metrics.BLOCKED.inc()
            raise AddressBlockedError(
                f"Try again in {decision.retry_after} s.", headers={"retry-after": str(decision.retry_after)}
            )
        case Verdict.LIMITED:
            headers = {key.decode(): value.decode() for key, value in decision.headers}
            headers["retry-after"] = str(decision.retry_after)
            raise TooManyRequestsError(
                f"Try again in {decision.retry_after} s; `RateLimit-Policy` says what is allowed.",
                headers=headers,
            )
        case Verdict.UNDECIDED:
            metrics.UNDECIDED.inc()
            if budget.closed_when_undecided:
                raise UnavailableError("Signing in is not possible right now.", headers={"retry-after": "5"})
    return decision

"""Whether a request may go on: a credential in good standing, and a budget that is not used up.

In three steps, so that who awaits Redis and who is called back go the same way: who asks (`recognise`), what Redis says
to the question, and what follows of it (`let_in`).
"""

from dataclasses import dataclass
from typing import Final

from flotilla.problems import TooManyRequestsError, UnauthorizedError, UnavailableError

from flotilla_gateway import metrics
from flotilla_gateway.edge.clients import Caller
from flotilla_gateway.limits.limiter import Decision, LimitClass, Limiter, Question, Verdict
from flotilla_gateway.problems import AddressBlockedError
from flotilla_gateway.trust.entitlements import Entitlements
from flotilla_gateway.trust.session import Session
from flotilla_gateway.trust.sessions import Sessions

REJECTED: Final = "open"
"""The class in which rejected tokens count, by address: guessing them is limited too."""
OF_CALLERS: Final = "session"
"""Routes of this class count by who asks: people by themselves, programs by their organization's plan."""
DEAR: Final = "dear"
"""Routes of this class count so too, and in a budget of their own besides: one of them costs as much as many others."""


# Looked up once: an enumeration's member costs a tenth of a microsecond each time.
_ALLOWED: Final = Verdict.ALLOWED
_REVOKED: Final = Verdict.REVOKED

Further = tuple[tuple[LimitClass, str], ...]


@dataclass(frozen=True, slots=True)
class Admission:
    """What decides about requests that somebody makes."""

    sessions: Sessions
    limiter: Limiter
    entitlements: Entitlements

    async def admit(self, credential: bytes | None, limit: str, caller: Caller) -> Session:
        """Who asks; 401, 403, 429 or 503 problems."""
        try:
            session, question = self.recognise(credential, limit, caller)
        except UnauthorizedError:
            await self.reject(caller)
            raise
        self.let_in(session, question, await self.limiter.answer(question))
        return session

    def recognise(self, credential: bytes | None, limit: str, caller: Caller) -> tuple[Session, Question]:
        """Who asks, and what to ask Redis about them; 401 and 403 problems. After a 401, `reject`."""
        if credential is None:
            raise UnauthorizedError("Send `Authorization: Bearer <access token or API key>`.")
        session = self.sessions.of(credential)
        budget, name, further = self._budget(session, limit, caller)
        return session, Question(budget, name, session.session, caller.block, further)

    async def reject(self, caller: Caller) -> None:
        """Count a rejected credential; 403, 429 or 503 problems in place of the 401."""
        question = Question(self.limiter.classes[REJECTED], caller.bucket, block=caller.block)
        approve(question, await self.limiter.answer(question))

    def let_in(
        self, session: Session, question: Question, decision: Decision, feature: str | None = None
    ) -> None:
        """What Redis said is put to use; 401, 402, 403, 429 or 503 problems."""
        approve(question, decision)
        if decision.verdict is _REVOKED:
            what = "program was revoked" if session.is_program else "session has ended. Sign in again"
            raise UnauthorizedError(f"This {what}.")
        if feature is not None:
            self.entitlements.check(session.org_id, feature)

    def _budget(self, session: Session, limit: str, caller: Caller) -> tuple[LimitClass, str, Further]:
        further: Further = ()
        if limit == DEAR:
            further = ((self.limiter.classes[DEAR], session.bucket),)
        elif limit != OF_CALLERS:
            return self.limiter.classes[limit], caller.bucket, ()
        if not session.is_program:
            return self.limiter.classes[OF_CALLERS], session.bucket, further
        budget = self.entitlements.budget(session.org_id)
        alone = self.sessions.is_alone(session)
        share = self.entitlements.share(budget, session.requests_per_hour, alone=alone)
        if share is not None:
            further = ((share, f"{share.requests}:{session.session}"), *further)
        # Another plan's is another bucket: what was used up of a smaller one does not count in it.
        return budget, f"{budget.requests}:{session.bucket}", further


def approve(question: Question, decision: Decision) -> None:
    """A 429 problem where the budget is used up, 403 where the address is blocked, 503 where nobody can say and it
    matters."""
    verdict = decision.verdict
    if verdict is _ALLOWED:
        return
    match verdict:
        case Verdict.UNDECIDED:
            metrics.REQUESTS.undecided += 1
            if question.budget.closed_when_undecided:
                raise UnavailableError("Signing in is not possible right now.", headers={"retry-after": "5"})
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

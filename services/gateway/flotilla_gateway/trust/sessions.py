"""Any credential turned into who asks."""

from flotilla_gateway.trust.api_keys import PREFIX, ApiKeys
from flotilla_gateway.trust.session import Session
from flotilla_gateway.trust.tokens import ClientSession, Tokens


class Sessions:
    """Of people with access tokens, and of programs with API keys."""

    def __init__(self, tokens: Tokens, api_keys: ApiKeys) -> None:
        self._tokens = tokens
        self._api_keys = api_keys

    def of(self, credential: bytes) -> Session:
        """In good standing; 401 or 403 problems where it is not."""
        if credential.startswith(PREFIX):
            return self._api_keys.session(credential)
        return self._tokens.session(credential)

    def is_alone(self, program: Session) -> bool:
        """Whether its organization has no other program: no good key, and no client that called lately."""
        others = (self._api_keys.has_other, self._tokens.has_other_client)
        return not any(has_other(program.org_id, program.session) for has_other in others)

    def is_over(self, session: Session) -> bool:
        """Whether a program's key or client was revoked, or has expired, meanwhile; people's are ended by the live
        channel."""
        if isinstance(session, ClientSession):
            return self._tokens.is_over(session)
        return session.is_program and not self._api_keys.is_good(session.session)

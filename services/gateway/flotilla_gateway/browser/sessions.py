"""Sessions of browsers: tokens of auth's answers become cookies, and cookies become what auth is asked with.

A page asks for it with `X-Session: cookie`, a field that no other site's page can send without being allowed to (it
takes a preflight): nobody is signed in as somebody else unawares. From then on no token is in any body.
"""

import base64
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
from flotilla.problems import UnauthorizedError

from flotilla_gateway.browser import cookies
from flotilla_gateway.browser.kept import Kept
from flotilla_gateway.browser.proofs import SAFE, Proofs
from flotilla_gateway.forward.answer import Added
from flotilla_gateway.forward.exchange import forward
from flotilla_gateway.forward.headers import Header, lines
from flotilla_gateway.forward.passage import CALLER_GONE, Outcome, Passage
from flotilla_gateway.forward.upstream import Upstream
from flotilla_gateway.trust.session import Session

if TYPE_CHECKING:
    from flotilla_gateway.visit import Visit

ASKED: Final = b"x-session"
COOKIE: Final = b"cookie"
AUTH: Final = "auth"
REFRESH: Final = "/v1/tokens/refresh"
SIGN_OUT: Final = "/v1/sign-out"
PROGRAMS: Final = "/v1/oauth/token"
_TOKENS: Final = ("access_token", "refresh_token", "token_type")
_BODY: Final = frozenset(
    {b"content-type", b"content-length", b"content-encoding", b"transfer-encoding", b"expect"}
)
"""Of a refresh, where the body that is passed on is ours."""


class _Claims(msgspec.Struct):
    sid: UUID
    exp: float


class Browsers:
    """What is done differently for requests of browsers with cookies."""

    def __init__(self, proofs: Proofs) -> None:
        self._proofs = proofs

    def credential(self, fields: Mapping[bytes, bytes]) -> bytes | None:
        """The access token of a request that shows none otherwise."""
        return cookies.read(fields.get(COOKIE)).get(cookies.ACCESS) or None

    def check(self, visit: "Visit") -> None:
        """A 403 problem where the cookies of a request may have been another site's to use."""
        session = visit.session
        assert session is not None
        if session.is_program:
            raise UnauthorizedError("Programs send their token in Authorization.")
        self._proofs.check(
            visit.method, visit.fields, visit.caller.scheme, UUID(session.session), session.org_id
        )

    def check_socket(self, fields: Mapping[bytes, bytes], scheme: str, session: Session) -> None:
        """The same of a WebSocket's handshake, which any page may begin: the Origin must be said, and right."""
        if session.is_program:
            raise UnauthorizedError("Programs send their token in Authorization.")
        self._proofs.check_origin("GET", fields, scheme, session.org_id, said=True)

    def concern(self, visit: "Visit") -> bool:
        """Whether auth's answer to this may hold tokens for cookies, or end them; asked of auth's routes alone."""
        operation = visit.operation
        if operation is None or visit.method in SAFE:
            return False
        asked = visit.fields.get(ASKED) == COOKIE and operation.public and operation.template != PROGRAMS
        return asked or visit.by_cookie

    async def exchange(self, visit: "Visit", upstream: Upstream, passage: Passage, added: Added) -> Outcome:
        """One such request passed on, and its answer back."""
        operation, client = visit.operation, passage.client
        assert operation is not None
        kept = Kept(client)
        unencoded = [field for field in passage.received if field[0] != b"accept-encoding"]
        passage = replace(passage, client=kept, send=kept.send, received=unencoded)
        if operation.public:
            self._proofs.check_origin("POST", visit.fields, visit.caller.scheme, None)
            if operation.template == REFRESH:
                passage = self._refresh(visit, passage)
        outcome = await forward(upstream, passage, added)
        if outcome.status == CALLER_GONE or not kept.status:
            return outcome
        more: list[Header] = []
        if kept.status < 300:
            more = self._to_cookies(kept)
            if operation.template == SIGN_OUT:
                more = cookies.clear()
        elif kept.status == 401 and operation.template == REFRESH:
            more = cookies.clear()
        client.respond(kept.status, lines([*kept.measured(), *more]), kept.body)
        return Outcome(kept.status, len(kept.body))

    def _refresh(self, visit: "Visit", passage: Passage) -> Passage:
        """Asked with the token of the cookie instead of one in the body."""
        cookie = cookies.read(visit.fields.get(COOKIE)).get(cookies.REFRESH, b"")
        found = self._proofs.unbind(cookie)
        if found is None:
            raise UnauthorizedError("There is no session in cookies to carry on: sign in.")
        session, token = found
        self._proofs.check("POST", visit.fields, visit.caller.scheme, session, None)
        body = msgspec.json.encode({"refresh_token": token})
        said = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        headers = [field for field in passage.received if field[0] not in _BODY] + said

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        return replace(passage, receive=receive, received=headers, fields=dict(headers))

    def _to_cookies(self, kept: Kept) -> list[Header]:
        """Take the tokens out of the body, where there are any: the fields that set them as cookies."""
        if b"access_token" not in kept.body:
            return []
        said: dict[str, Any] = msgspec.json.decode(kept.body)
        access, refresh = said.get("access_token"), said.get("refresh_token")
        if not isinstance(access, str):
            return []
        claims = _claims(access)
        csrf = self._proofs.csrf_token(claims.sid)
        now = time.time()
        fields = [cookies.put(cookies.ACCESS, access.encode(), max(0, int(claims.exp - now)))]
        if isinstance(refresh, str):
            seconds = int(datetime.fromisoformat(said["refresh_expires_at"]).timestamp() - now)
            fields.append(cookies.put(cookies.REFRESH, self._proofs.bind(claims.sid, refresh), seconds))
            fields.append(cookies.put(cookies.CSRF, csrf.encode(), seconds))
            said["csrf_token"] = csrf
        kept.body = msgspec.json.encode({name: value for name, value in said.items() if name not in _TOKENS})
        return fields


def _claims(token: str) -> _Claims:
    """What auth wrote into a token that has just come from it."""
    payload = token.split(".")[1]
    return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims)

"""What everybody may do or not, whatever it is about: of every route of the document, by role, with data in place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from flotilla.instance import Instance
from flotilla.security.permissions import ALL

from tests.e2e.cast import Cast, Member
from tests.e2e.filled import Full
from tests.e2e.matrix import Case, Matrix, came, done, hidden, let_in, refused, shown
from tests.e2e.placed import park
from tests.e2e.routes import Call
from tests.e2e.writes import FRESH, OTHERWISE, body_of

PERSONAL: Final = ("/v1/calendars/", "/v1/me/", "/v1/notifications/", "/v1/portal/", "/v1/sessions/")
"""Whoever asks sees what is theirs there, and others do not, whatever their role."""
EVERYBODYS: Final = ("/v1/triggers/", "/v1/bd-offers/")
"""The same for every organization."""
ENDLESS: Final = frozenset({"GET /v1/live", "GET /v1/live/events"})
"""Answer for as long as somebody listens: that it is refused is tried, that it is granted is websocket's to test."""
TO_ONESELF: Final = frozenset(
    {
        "DELETE /v1/me/totp",
        "DELETE /v1/sessions",
        "POST /v1/me/passkeys",
        "POST /v1/me/recovery-codes",
        "POST /v1/me/totp",
        "POST /v1/sign-out",
        "POST /v1/step-up/passkey",
        "PUT /v1/me/password",
    }
)
"""Would do to whoever tries what the other tests here do not want done to them."""
OWNERS_ALONE: Final = "an owner alone may, whoever else may change the organization"
GUESTS: Final = "whether they are let into another organization follows from its grant"
BY_THE_PERSON: Final = {
    "PUT /v1/bookings/hosts/{user_id}": "another person's hours take `bookings:configure` besides",
    "PATCH /v1/retention": OWNERS_ALONE,
    "POST /v1/organization/children": OWNERS_ALONE,
    "POST /v1/organization/grants": OWNERS_ALONE,
    "DELETE /v1/organization/grants/{grant_id}": OWNERS_ALONE,
    "DELETE /v1/organization/received-grants/{received_grant_id}": OWNERS_ALONE,
    "POST /v1/organization/received-grants/{received_grant_id}/accept": OWNERS_ALONE,
    "POST /v1/organization/received-grants/{received_grant_id}/sessions": GUESTS,
    "POST /v1/organization/received-grants/{received_grant_id}/token": GUESTS,
}
"""Where the answer follows from whom it is about, not from the role alone."""
STALE: Final = {"If-Match": '"999999999"'}
"""Of a state that there never was: let in, found and understood, and nothing is changed."""
PARKED: Final = "/v1/parked/"
FINE: Final = (200, 201, 202, 204)


@dataclass(frozen=True)
class Gates:
    """Two organizations full of data, and the people of the first."""

    matrix: Matrix
    instance: Instance
    cast: Cast
    ours: Full
    theirs: Full

    def cases(self, call: Call, member: Member) -> Iterator[Case]:
        """A call that is for a role or not, whatever it is about."""
        scope = member.scope(call.permission)
        nowhere = {name: str(uuid4()) for name in call.parameters}
        here = {**nowhere, **self.ours.ids}
        if scope is None or (call.reach == "all" and scope != ALL):
            yield self._case(member, call, here, call.body, "403", refused)
        elif untried(call):
            return
        elif call.method != "GET":
            yield from self._writes(call, member)
        elif call.path.startswith((*PERSONAL, *EVERYBODYS)) or not self._knows(call):
            yield self._case(member, call, here, None, "let in", let_in)
        else:
            yield self._case(member, call, here, None, "shown", shown)
            if call.parameters:
                yield self._foreign(member, call, None)

    def _writes(self, call: Call, member: Member) -> Iterator[Case]:
        """Done, or as far as it can be without taking something from the next; and never to another organization's."""
        body = body_of(call, self.ours.ids)
        personal = call.path.startswith(PERSONAL) and call.parameters
        if call.parameters:
            yield self._foreign(member, call, body)
        if personal and member.role != "owner":
            yield self._case(member, call, self.ours.ids, body, "404", hidden)
        elif call.path.startswith(EVERYBODYS) or (personal and call.method == "DELETE" and not call.guarded):
            return
        elif call.guarded:
            yield self._case(member, call, self.ours.ids, body, "412", came(412), STALE)
        elif call.name in FRESH or call.path.startswith(PARKED):
            yield lambda: self._taken_away(call, member, body)
        else:
            # Done once, or being done, it may be refused to the next (409, 422): not for what they may, nor as unknown.
            expected = OTHERWISE.get(call.name, (*FINE, 409, 422))
            yield self._case(member, call, self.ours.ids, body, f"one of {expected}", came(*expected))

    async def _taken_away(self, call: Call, member: Member, body: Any) -> None:
        if call.path.startswith(PARKED):
            made = await park(self.instance, self.ours.owner, call.path.split("/")[3])
        else:
            made = await FRESH[call.name](self.ours.owner, self.ours.ids)
        await self._case(member, call, {**self.ours.ids, **made}, body, "done", done)()

    def _foreign(self, member: Member, call: Call, body: Any) -> Case:
        """The same about another organization's."""
        ids = {**{name: str(uuid4()) for name in call.parameters}, **self.theirs.ids}
        said = f"{call.name} of another organization's"
        path = call.at(ids)
        return lambda: self.matrix.call(member, call.method, path, body, "404", said, hidden)

    def _case(
        self,
        member: Member,
        call: Call,
        ids: Mapping[str, str],
        body: Any,
        expected: str,
        right: Any,
        headers: Mapping[str, str] | None = None,
    ) -> Case:
        path = call.at(ids)
        return lambda: self.matrix.call(
            member, call.method, path, body, expected, call.name, right, headers=headers
        )

    def _knows(self, call: Call) -> bool:
        return all(name in self.ours.ids for name in call.parameters)


def untried(call: Call) -> bool:
    """Whether granting it is left out: it would do what it does to whoever tries, or it does not end."""
    return call.name in TO_ONESELF | ENDLESS or call.name in BY_THE_PERSON

"""CalDAV (RFC 4791): a person's calendar on any server that speaks it, Nextcloud, Radicale, Fastmail, iCloud."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import quote, urljoin

from flotilla.bus.declare import RetryLater
from flotilla.outside_http import OutsideResponse, OutsideUncertainError, OutsideUnreachableError
from pydantic import Field, SecretStr

from flotilla_integrations.adapters import calendar
from flotilla_integrations.adapters.addresses import WebAddress, check_address
from flotilla_integrations.adapters.base import (
    AccountRefusedError,
    Action,
    Adapter,
    Capabilities,
    Config,
    Connection,
    Health,
    NotReachedError,
    Part,
    RefusedError,
    UnconfirmedError,
)
from flotilla_integrations.adapters.caldav import dav, ical
from flotilla_integrations.adapters.calendar import (
    CALENDAR,
    Changes,
    DeleteEvent,
    GoneEvent,
    Item,
    ListChanges,
    PutEvent,
    StandingEvent,
)

AT_ONCE: Final = 100
"""Items of one multiget."""
REDIRECTS: Final = 3
XML: Final = {"content-type": "application/xml; charset=utf-8"}
ICAL: Final = {"content-type": "text/calendar; charset=utf-8"}


class CaldavSettings(Part):
    """Where the calendar is."""

    url: Annotated[
        WebAddress,
        Field(
            description="The calendar's address; or the server's, where the person has one calendar there."
        ),
    ]


class CaldavCredentials(Part):
    """Whose it is."""

    username: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f:]+$")]
    password: Annotated[SecretStr, Field(description="An app password where the server gives such.")]


class CaldavConfig(Config):
    """A calendar."""

    settings: CaldavSettings
    credentials: CaldavCredentials


class Caldav(Adapter[CaldavConfig]):
    """One calendar of one person."""

    connector: ClassVar[str] = "caldav"
    title: ClassVar[str] = "CalDAV calendar"
    kind: ClassVar[str] = CALENDAR
    takes_hooks: ClassVar[bool] = False
    config_type: ClassVar[type[Config]] = CaldavConfig
    capabilities: ClassVar[Capabilities] = Capabilities(idempotent_send=True, syncs=True)
    actions: ClassVar[Mapping[str, Action]] = calendar.ACTIONS
    proven_with: ClassVar[str] = "Radicale, a CalDAV server, run beside the tests"

    async def connect(self, config: CaldavConfig) -> Connection:
        """The calendar at the address, or the only one of the person whom the server names."""
        self.use(config)
        # A server has its first address with a slash, or none of its own pages at all.
        start = await self._describe(config.settings.url + "/")
        found = start if start.calendar else await self._only_calendar(start)
        return Connection(external_id=found.address, name=found.name)

    async def disconnect(self) -> None:
        """Nothing is registered with the server."""

    async def execute(self, action: str, data: Any) -> Any:
        """Put, delete, or list changes."""
        match action, data:
            case calendar.PUT_EVENT, PutEvent():
                return await self._put(data)
            case calendar.DELETE_EVENT, DeleteEvent():
                return await self._delete(data)
            case calendar.LIST_CHANGES, ListChanges():
                return await self._changes(data)
        raise ValueError(f"a calendar has no action {action}")

    async def health(self) -> Health:
        """Whether the calendar is there and may be read."""
        found = await self._describe(self._collection)
        return Health(found.calendar, "The calendar answers." if found.calendar else "It is no calendar.")

    @property
    def _collection(self) -> str:
        return self.around.external_id or self.config.settings.url + "/"

    def _address(self, uid: str) -> str:
        return urljoin(self._collection, quote(uid, safe="") + ".ics")

    async def _put(self, wanted: PutEvent) -> StandingEvent:
        address = self._address(wanted.uid)
        body = ical.event(wanted, datetime.now(UTC))
        answer = await self._ask("PUT", address, body, {**ICAL, "if-none-match": "*"})
        if answer.status == 412:
            return await self._put_before(wanted, address)
        _check(answer)
        return StandingEvent(external_id=address, etag=_header(answer, "etag"))

    async def _put_before(self, wanted: PutEvent, address: str) -> StandingEvent:
        """Something has that address: ours, of an attempt whose answer was lost, or another's."""
        there = await self._ask("GET", address)
        _check(there)
        if ical.uid_of(there.body.decode(errors="replace")) != wanted.uid:
            raise RefusedError("Another entry of the calendar has this address.")
        return StandingEvent(external_id=address, etag=_header(there, "etag"))

    async def _delete(self, wanted: DeleteEvent) -> GoneEvent:
        address = wanted.external_id or self._address(wanted.uid)
        if not dav.same_server(address, self._collection):
            raise RefusedError("It stands in a calendar of another server.")
        answer = await self._ask("DELETE", address)
        if answer.status not in (404, 410):
            _check(answer)
        return GoneEvent()

    async def _changes(self, asked: ListChanges) -> Changes:
        collection = await self._describe(self._collection)
        if not collection.calendar:
            raise RefusedError("It is no calendar any more.")
        if collection.sync_token is not None:
            return await self._synced(asked)
        if collection.ctag is not None and collection.ctag == asked.token:
            return Changes(token=asked.token, there=(), gone=())
        answer = await self._ask("PROPFIND", self._collection, dav.ETAGS, {**XML, "depth": "1"})
        found = [each for each in _read(answer, self._collection).resources if not each.collection]
        return await self._compared(asked, found, collection.ctag)

    async def _synced(self, asked: ListChanges) -> Changes:
        """By sync-collection; from the beginning again where the server has forgotten the token."""
        answer = await self._ask(
            "REPORT", self._collection, dav.sync_report(asked.token), {**XML, "depth": "0"}
        )
        whole = asked.token is None
        if asked.token is not None and answer.status in (403, 409, 412) and dav.invalid_token(answer.body):
            whole = True
            answer = await self._ask("REPORT", self._collection, dav.sync_report(None), {**XML, "depth": "0"})
        said = _read(answer, self._collection)
        found = [each for each in said.resources if not dav.same_path(each.address, self._collection)]
        if whole:
            return await self._compared(asked, found, said.sync_token)
        there = [each for each in found if each.found and asked.known.get(each.address) != each.etag]
        gone = tuple(each.address for each in found if not each.found and each.address in asked.known)
        return Changes(token=said.sync_token, there=await self._items(asked, there), gone=gone)

    async def _compared(self, asked: ListChanges, found: list[dav.Resource], token: str | None) -> Changes:
        """All that is there against all that was known."""
        present = {each.address: each for each in found if each.found and each.etag}
        changed = [each for address, each in present.items() if asked.known.get(address) != each.etag]
        gone = tuple(address for address in asked.known if address not in present)
        return Changes(token=token, there=await self._items(asked, changed), gone=gone)

    async def _items(self, asked: ListChanges, changed: list[dav.Resource]) -> tuple[Item, ...]:
        if not asked.details:
            return tuple(Item(external_id=each.address, etag=each.etag or "") for each in changed)
        items: list[Item] = []
        for place in range(0, len(changed), AT_ONCE):
            part = dav.multiget([each.address for each in changed[place : place + AT_ONCE]])
            answer = await self._ask("REPORT", self._collection, part, {**XML, "depth": "1"})
            items += [
                ical.item(each.address, each.etag, each.content)
                for each in _read(answer, self._collection).resources
                if each.found and each.etag
            ]
        return tuple(items)

    async def _describe(self, address: str) -> dav.Resource:
        for _ in range(REDIRECTS):
            answer = await self._ask("PROPFIND", address, dav.COLLECTION, {**XML, "depth": "0"})
            if answer.status not in (301, 302, 307, 308):
                break
            address = self._redirected(address, _header(answer, "location") or "")
        found = _read(answer, address).resources
        if not found:
            raise RefusedError("There is no calendar at this address.")
        return found[0]

    def _redirected(self, address: str, location: str) -> str:
        onward = urljoin(address, location)
        if not dav.same_server(onward, address):
            raise RefusedError(f"The calendar has moved: connect {onward} instead.")
        return onward

    async def _only_calendar(self, start: dav.Resource) -> dav.Resource:
        """RFC 4791 section 6: the person, their home, the calendars in it."""
        if start.principal is None:
            raise RefusedError("There is no calendar at this address.")
        answer = await self._ask("PROPFIND", start.principal, dav.HOME, {**XML, "depth": "0"})
        home = next((each.home for each in _read(answer, start.principal).resources if each.home), None)
        if home is None:
            raise RefusedError(
                "The server names no calendars of this person: give the calendar's own address."
            )
        answer = await self._ask("PROPFIND", home, dav.COLLECTION, {**XML, "depth": "1"})
        found = [each for each in _read(answer, home).resources if each.calendar and each.takes_events]
        if len(found) != 1:
            listed = ", ".join(each.address for each in found[:10]) or "none"
            raise RefusedError(f"Give the address of one calendar. There are: {listed}")
        return found[0]

    async def _ask(
        self, method: str, address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> OutsideResponse:
        """One request that may be repeated; AdapterError or RetryLater for what says nothing of the calendar."""
        check_address(address, self.around.settings)
        given = self.config.credentials
        token = base64.b64encode(f"{given.username}:{given.password.get_secret_value()}".encode()).decode()
        try:
            answer = await self.around.customer_http.request(
                method,
                address,
                body=body,
                headers={**(headers or {}), "authorization": f"Basic {token}"},
                limit=self.around.settings.calendar_seconds,
                repeatable=True,
            )
        except OutsideUnreachableError:
            raise NotReachedError("The calendar's server cannot be reached.") from None
        except OutsideUncertainError:
            raise UnconfirmedError("The calendar's server did not answer.") from None
        if answer.status == 401:
            raise AccountRefusedError("The calendar's server does not accept the name and password.")
        if answer.status in (429, 503):
            raise RetryLater(timedelta(seconds=30), "the calendar's server: too many requests")
        if answer.status >= 500 and answer.status != 507:
            raise UnconfirmedError(f"The calendar's server answered {answer.status}.")
        return answer


def _check(answer: OutsideResponse) -> None:
    if not 200 <= answer.status < 300:
        raise RefusedError(f"The calendar's server refused it: it answered {answer.status}.")


def _read(answer: OutsideResponse, asked: str) -> dav.Multistatus:
    if answer.status != 207:
        raise RefusedError(f"There is no calendar at this address: the server answered {answer.status}.")
    try:
        return dav.read(answer.body, asked)
    except dav.UnreadableError:
        raise RefusedError("What answers at this address is no CalDAV server.") from None


def _header(answer: OutsideResponse, name: str) -> str | None:
    return next((value for key, value in answer.headers.items() if key.lower() == name), None)


ADAPTER = Caldav

"""From a batch of deliveries to committed effects: grouping, one transaction, bisecting what fails.

The whole batch is tried in one transaction, each handler behind a savepoint. A handler that fails is undone
to its savepoint while the others commit; its events are then halved and tried again in transactions of
their own, never together with fresh ones, until the one that fails stands alone and is parked.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from flotilla.app import App
from flotilla.bus import faults, inbox, parked
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import Handler, HandlerKind, RawEvent
from flotilla.bus.envelope import Received, decode, receive
from flotilla.events.base import CONTRACTS, Envelope, Event, contract_of
from flotilla.privacy.redaction import without_personal
from flotilla.replay.gate import OpenReplay, pass_gate
from flotilla.store.postgres import Transaction
from flotilla.telemetry import metrics
from flotilla.telemetry.traces import event_spans, passed_spans

log = structlog.get_logger()


@dataclass
class Group:
    """The events of one handler in a batch."""

    handler: Handler
    events: list[Received[Event]] = field(default_factory=list)
    remembered: bool = True
    """Whether an event older than the inbox is refused; not where a person had it replayed."""


@dataclass
class Failure:
    """A group that was undone, and why."""

    group: Group
    error: Exception


class Dispatcher:
    """Handles the batches of one lane."""

    def __init__(self, app: App, lane: str) -> None:
        self.app = app
        self.lane = lane
        self._region = app.settings.region
        self._handlers = [handler for handler in app.service.handlers if handler.lane == lane]
        self._by_type: dict[str, list[Handler]] = {}
        for handler in self._handlers:
            for type_ in handler.types:
                self._by_type.setdefault(contract_of(type_).type, []).append(handler)
        tap = app.service.tap
        self._tap = tap if tap and tap.lane == lane else None
        self.patient = True
        """Whether a store that seems away is waited for. Where all of them answer and it is still said to be, the
        event is to blame after all (a statement that takes too long, a time limit of its own)."""

    async def handle(self, bodies: Sequence[bytes]) -> None:
        """Give the batch to its handlers; returns when every event is handled or parked.

        Raises infrastructure errors while it is `patient`: nothing was decided, call it again with the same batch.
        """
        if self._tap is not None:
            await self._handle_raw(bodies)
            return
        groups = self._spared(await self._group(bodies))
        failures = await self._attempt(groups)
        for failure in failures:
            await self._bisect(failure)

    async def retry(self, handler: Handler, event: Received[Event]) -> None:
        """Handle one event that had failed or was replayed, however old; raises what its handler raises."""
        groups = self._spared([Group(handler, [event], remembered=False)])
        failures = await self._attempt(groups)
        if failures:
            raise failures[0].error

    async def _group(self, bodies: Sequence[bytes]) -> list[Group]:
        groups: dict[str, Group] = {}
        seen: set[object] = set()
        for body in bodies:
            event = await self._receive(body)
            if event is None or event.id in seen:
                continue
            seen.add(event.id)
            for handler in self._by_type.get(event.envelope.type, ()):
                groups.setdefault(handler.name, Group(handler)).events.append(event)
        # As the service lists them: replicas that lock rows in one order do not wait for each other in a circle.
        return [groups[handler.name] for handler in self._handlers if handler.name in groups]

    def _spared(self, groups: list[Group]) -> list[Group]:
        """Without what speaks of people who are forgotten."""
        forgotten = self.app.known.forgotten
        if forgotten:
            for group in groups:
                group.events = forgotten.spare(group.handler, group.events)
        return [group for group in groups if group.events]

    async def _receive(self, body: bytes) -> Received[Event] | None:
        try:
            envelope = decode(body)
            if self._is_foreign(envelope):
                return None
            return receive(envelope, CONTRACTS[envelope.type])
        except Exception as error:  # broken UTF-8 and endless nesting have errors of their own
            await parked.park_unreadable(self.app.db, self.lane, body, error)
            return None

    async def _attempt(self, groups: Sequence[Group]) -> list[Failure]:
        """One transaction over all groups; the groups that were undone."""
        failures: list[Failure] = []
        prepared: dict[str, Any] = {}
        ready: list[Group] = []
        for group in groups:
            group.events = newest(group.events) if _is_projection(group) else group.events
            try:
                if group.handler.prepare is not None:
                    prepared[group.handler.name] = await group.handler.prepare(self.app, group.events)
                    faults.reach("prepared")
                ready.append(group)
            except Exception as error:
                self._let_pause(error)
                failures.append(Failure(group, error))
        if not ready:
            return failures
        orgs = {event.org for group in ready for event in group.events}
        alone = len(ready) == 1
        try:
            async with self.app.db.transaction(orgs) as tx:
                replay = await pass_gate(tx, [group.handler for group in ready])
                for group in ready:
                    failure = await self._run(tx, group, prepared.get(group.handler.name), alone, replay)
                    faults.reach("handling")
                    if failure is not None:
                        failures.append(failure)
                if replay is not None:
                    await replay.keep_notices(tx)
        except Exception as error:
            self._let_pause(error)
            if alone:
                return [Failure(ready[0], error), *failures]
            return [*failures, *await self._each_alone(ready, failures)]
        for group in _others(ready, failures):
            metrics.HANDLED.labels(self.lane, group.handler.name).inc(len(group.events))
        return failures

    async def _each_alone(self, ready: Sequence[Group], failures: Sequence[Failure]) -> list[Failure]:
        """After a failed commit (a deferred constraint, an outbox row): whose fault it was."""
        found: list[Failure] = []
        for group in _others(ready, failures):
            found.extend(await self._attempt([group]))
        return found

    async def _run(
        self, tx: Transaction, group: Group, prepared: Any, alone: bool, replay: OpenReplay | None
    ) -> Failure | None:
        try:
            async with contextlib.nullcontext() if alone else tx.savepoint():
                await self._call(tx, group, prepared)
                if replay is not None:
                    await replay.follow(tx, group.handler, group.events)
        except Exception as error:
            self._let_pause(error)
            if alone:
                raise
            return Failure(group, error)
        return None

    async def _call(self, tx: Transaction, group: Group, prepared: Any) -> None:
        handler, events = group.handler, group.events
        if handler.kind is HandlerKind.REACTION:
            if group.remembered:
                inbox.refuse_forgotten(events)
            events = await inbox.claim(tx, handler.name, events)
        if not events:
            return
        with event_spans(f"{self.app.service.name} {handler.name}", events) as traced:
            if handler.prepare is not None:
                await handler.run(tx, traced, prepared)
            else:
                await handler.run(tx, traced)

    def _let_pause(self, error: Exception) -> None:
        """Infrastructure errors go to the lane, which waits and does the same again."""
        if self.patient and isinstance(error, INFRASTRUCTURE_ERRORS):
            raise error

    async def _bisect(self, failure: Failure) -> None:
        """Halve the events until the one that fails is alone, and park it."""
        stack = [failure]
        while stack:
            found = stack.pop()
            events = found.group.events
            if len(events) == 1:
                metrics.FAILED.labels(found.group.handler.name).inc()
                await parked.park(self.app.db, self.lane, found.group.handler.name, events[0], found.error)
                continue
            for half in _halves(events):
                stack.extend(reversed(await self._attempt([Group(found.group.handler, half)])))

    async def _handle_raw(self, bodies: Sequence[bytes]) -> None:
        assert self._tap is not None
        events = {}
        for body in bodies:
            try:
                envelope = decode(body)
                if self._is_foreign(envelope):
                    continue
                event = self._spared_raw(RawEvent(envelope, body))
                events[event.envelope.id] = event
            except Exception as error:
                await parked.park_unreadable(self.app.db, self.lane, body, error)
        await self._attempt_raw(list(events.values()))

    def _is_foreign(self, envelope: Envelope) -> bool:
        """Another region's event is stored nowhere here, not even parked: its own cell has it, if it is one."""
        if envelope.region == self._region:
            return False
        metrics.FOREIGN.labels(self.lane).inc()
        log.error("event.foreign", lane=self.lane, type=envelope.type, region=envelope.region)
        return True

    def _spared_raw(self, event: RawEvent) -> RawEvent:
        """The same for those who keep or pass on events as they are."""
        forgotten, contract = self.app.known.forgotten, CONTRACTS.get(event.envelope.type)
        if not forgotten or contract is None:
            return event
        try:
            whole = receive(event.envelope, contract)
        except msgspec.ValidationError:
            return event
        if not forgotten.cover(whole):
            return event
        without = without_personal(whole)
        return RawEvent(without.envelope, msgspec.json.encode(without.envelope))

    async def _attempt_raw(self, events: list[RawEvent]) -> None:
        assert self._tap is not None
        if not events:
            return
        try:
            async with self.app.db.transaction({event.envelope.organizationid for event in events}) as tx:
                with passed_spans(f"{self.app.service.name} {self._tap.name}", events):
                    await self._tap.run(tx, events)
        except Exception as error:
            self._let_pause(error)
            if len(events) == 1:
                metrics.FAILED.labels(self._tap.name).inc()
                await parked.park_raw(self.app.db, self.lane, self._tap.name, events[0], error)
                return
            for half in _halves(events):
                await self._attempt_raw(half)
        else:
            metrics.HANDLED.labels(self.lane, self._tap.name).inc(len(events))


def _others(groups: Sequence[Group], failures: Sequence[Failure]) -> list[Group]:
    """The groups that have not failed."""
    failed = {failure.group.handler.name for failure in failures}
    return [group for group in groups if group.handler.name not in failed]


def _is_projection(group: Group) -> bool:
    return group.handler.kind is HandlerKind.PROJECTION


def newest(events: Sequence[Received[Event]]) -> list[Received[Event]]:
    """The highest sequence of each subject, sorted by (organization, subject): no row twice, no deadlock."""
    kept: dict[tuple[int, str, str, str], Received[Event]] = {}
    for event in events:
        key = (event.org.int, event.envelope.source, contract_of(type(event.data)).entity, event.subject)
        standing = kept.get(key)
        if standing is None or event.envelope.sequence > standing.envelope.sequence:
            kept[key] = event
    return [kept[key] for key in sorted(kept)]


def _halves(events: Sequence[Any]) -> Iterator[list[Any]]:
    middle = len(events) // 2
    yield list(events[:middle])
    yield list(events[middle:])

"""Postgres: a pool, and transactions that carry the tenant, the cause and the events they emit.

    async with db.transaction([org], cause=cause) as tx:
        row = await tx.fetchrow(store.RENAME, org, contact_id, name)
        tx.emit(ContactUpdated(...), org=org, sequence=row["sequence"])

The tenants are set in the same round trip as BEGIN; outbox rows and jobs are written in one statement each,
just before COMMIT; after it the relay publishes from memory. No state outlives the transaction, so a pooler
in transaction mode may stand between.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from flotilla.bus.envelope import Outgoing, Received, encode
from flotilla.cause import Cause, current_cause
from flotilla.events.base import Event, contract_of
from flotilla.outside import mark_transaction, unmark_transaction
from flotilla.security.reach import Reach, current_reach
from flotilla.store.flush import ARRIVED, DELETE_JOBS, INSERT_OUTBOX, UPSERT_JOBS
from flotilla.store.listening import Listener
from flotilla.store.pool import lent, losses_named, open_pool, refusals_named, roll_back
from flotilla.store.telling import hear_alone, telltale

if TYPE_CHECKING:
    from flotilla.app import App

Row: TypeAlias = Mapping[str, Any]
"""A row as asyncpg gives it: by column name."""

CLOSE_SECONDS: Final = 10.0


class NotCommittedError(RuntimeError):
    """A statement failed and its error was swallowed: Postgres rolled back where a commit was asked for."""


class Transaction:
    """An open transaction of one service, seen by some organizations only."""

    def __init__(
        self, connection: "asyncpg.pool.PoolConnectionProxy", app: "App", cause: Cause | None
    ) -> None:
        self._connection = connection
        self._cause = cause
        self.app = app
        """The process it runs in: settings and what the service holds. Never its outside clients."""
        self.emitted: list[Outgoing] = []
        self._jobs: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._timers: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._cancelled: set[tuple[str, str]] = set()
        self._after: list[Callable[[], None]] = []
        self._savepoints = 0
        self._telltale = telltale()

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """All rows."""
        self._telltale.hear(sql)
        rows: list[Row] = await self._connection.fetch(sql, *args)
        return rows

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """The first row, or none."""
        self._telltale.hear(sql)
        row: Row | None = await self._connection.fetchrow(sql, *args)
        return row

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first column of the first row, or none."""
        self._telltale.hear(sql)
        return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """The command tag (`UPDATE 3`)."""
        self._telltale.hear(sql)
        tag: str = await self._connection.execute(sql, *args)
        return tag

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What is done inside is undone, events and jobs too, where it raises."""
        kept = (
            len(self.emitted),
            dict(self._jobs),
            dict(self._timers),
            set(self._cancelled),
            len(self._after),
        )
        self._savepoints += 1
        name = f"s{self._savepoints}"
        await self._connection.execute(f"SAVEPOINT {name}")
        try:
            yield
            await self._connection.execute(f"RELEASE SAVEPOINT {name}")
        except BaseException:
            if not self._connection.is_closed():
                await self._connection.execute(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
            del self.emitted[kept[0] :], self._after[kept[4] :]
            self._jobs, self._timers, self._cancelled = kept[1], kept[2], kept[3]
            raise

    def emit(
        self,
        data: Event,
        *,
        org: UUID,
        sequence: int,
        cause: Received[Any] | Cause | None = None,
        audience: str | None = None,
        event_id: UUID | None = None,
    ) -> UUID:
        """Say that something happened; it is published if and only if this transaction commits.

        `cause` defaults to the request's or the job's; a handler of batches names the event. A fixed
        `event_id` (of an outside id) makes the same event of a repeated webhook.
        """
        if contract_of(type(data)).transient:
            raise ValueError(f"{type(data).__name__} is transient: app.transient.tell it")
        outgoing = encode(
            data,
            org=org,
            sequence=sequence,
            cause=self._resolve(cause),
            region=self.app.settings.region,
            service=self.app.settings.service,
            audience=audience,
            event_id=event_id,
        )
        self.emitted.append(outgoing)
        return outgoing.id

    def enqueue(
        self,
        kind: str,
        key: str,
        payload: msgspec.Struct,
        *,
        org: UUID,
        cause: Received[Any] | Cause | None = None,
        due_at: datetime | None = None,
    ) -> None:
        """Write a job row, to be done after the commit; a (kind, key) that stands already is left alone."""
        self._jobs[kind, key] = self._job_row(kind, key, payload, org, cause, due_at)

    def set_timer(
        self,
        kind: str,
        key: str,
        due_at: datetime,
        payload: msgspec.Struct,
        *,
        org: UUID,
        cause: Received[Any] | Cause | None = None,
    ) -> None:
        """Fire `kind` at `due_at`; a timer of the same (kind, key) is moved."""
        self._cancelled.discard((kind, key))
        self._timers[kind, key] = self._job_row(kind, key, payload, org, cause, due_at)

    def cancel_timer(self, kind: str, key: str) -> None:
        """Take it back; nothing happens where there is none."""
        self._timers.pop((kind, key), None)
        self._cancelled.add((kind, key))

    async def arrived(self, entity: str, subjects: Sequence[object]) -> None:
        """Run the events again that were held by `NotYetKnown(entity, subject)`, given up or not."""
        keys = [f"{entity}:{subject}" for subject in subjects]
        await self._connection.execute(ARRIVED, keys)

    async def notify(self, channel: str, payload: str = "") -> None:
        """Tell the other processes of this service (`Database.listen`) once committed."""
        await self._connection.execute(
            "SELECT pg_notify($1, $2)", f"{self.app.settings.service}.{channel}", payload
        )

    def caused_by(self, cause: Cause) -> None:
        """What is emitted from here on goes back to this, where nothing else is named."""
        self._cause = cause

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run `call` once this has committed; only for what may be lost (waking a worker)."""
        self._after.append(call)

    async def _flush(self) -> None:
        await self._telltale.settle(self, bool(self._jobs or self._timers or self._cancelled))
        if self._cancelled:
            kinds, keys = zip(*self._cancelled, strict=True)
            await self._connection.execute(DELETE_JOBS, list(kinds), list(keys))
        for rows, move in ((self._jobs, False), (self._timers, True)):
            if rows:
                columns = [list(column) for column in zip(*rows.values(), strict=True)]
                await self._connection.execute(UPSERT_JOBS, *columns, move)
        if self.emitted:
            await self._connection.execute(
                INSERT_OUTBOX,
                [event.id for event in self.emitted],
                [event.type for event in self.emitted],
                [event.body for event in self.emitted],
                self.app.relay.hold(self.emitted),
            )

    def _committed(self) -> None:
        self._telltale.committed(self)
        if self.emitted:
            self.app.relay.hand_over(self.emitted)
        if due := self._due():
            self.app.jobs_wake.set(due)
        for call in self._after:
            call()

    def _due(self) -> set[str]:
        """The kinds of what was written and is to be done now; what is for later is found when its time comes."""
        now = datetime.now(UTC)
        rows = (*self._jobs.items(), *self._timers.items())
        return {kind for (kind, _), (*_, due_at) in rows if due_at is None or due_at <= now}

    def _resolve(self, cause: Received[Any] | Cause | None) -> Cause:
        found = cause.cause if isinstance(cause, Received) else cause or self._cause
        if found is None:
            raise ValueError("a batch has no cause of its own: name the event that caused this")
        return found

    def _job_row(
        self, kind: str, key: str, payload: msgspec.Struct, org: UUID, cause: Any, due_at: datetime | None
    ) -> tuple[Any, ...]:
        declared = self.app.service
        if kind not in {job.kind for job in declared.jobs} | {timer.kind for timer in declared.timers}:
            raise LookupError(
                f"{kind} is no job or timer of {declared.name}'s service.py: nobody would do it"
            )
        return (
            self.app.new_id(),
            org,
            kind,
            key,
            msgspec.json.encode(payload).decode(),
            msgspec.json.encode(self._resolve(cause)).decode(),
            due_at,
        )


class Database:
    """One service's Postgres: its pool and its LISTEN connection."""

    def __init__(self, pool: "asyncpg.Pool", dsn: str) -> None:
        self.pool = pool
        self.listener = Listener(dsn)
        self.app: App

    @classmethod
    async def open(cls, dsn: str, *, connections: int = 4) -> "Database":
        """Connect as the service's runtime role; its search_path is set on the role."""
        pool = await open_pool(dsn, connections)
        return cls(pool, dsn)

    async def close(self) -> None:
        """Wait a while for what is open, then close."""
        try:
            await asyncio.wait_for(self.pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            self.pool.terminate()

    @asynccontextmanager
    async def transaction(
        self, orgs: Iterable[UUID] | UUID, *, cause: Cause | None = None
    ) -> AsyncIterator[Transaction]:
        """A transaction that sees these organizations' rows; commits on leaving, rolls back on an error.

        Within a request it sees and changes what is in the reach of who asks.
        """
        tenants = [orgs] if isinstance(orgs, UUID) else sorted(set(orgs))
        reach = current_reach.get()
        async with lent(self.pool) as connection:
            tx = Transaction(connection, self.app, cause or current_cause.get())
            token = mark_transaction()
            try:
                with losses_named(connection), refusals_named(reach):
                    await _begin(connection, tenants, reach)
                    try:
                        yield tx
                        await tx._flush()
                    except BaseException:
                        await roll_back(connection)
                        raise
                    if await connection.execute("COMMIT") != "COMMIT":
                        raise NotCommittedError("undone at its end: a statement in it had failed")
            except BaseException:
                self.app.relay.release(tx.emitted)
                raise
            finally:
                unmark_transaction(token)
        tx._committed()

    async def execute(self, sql: str, *args: object) -> str:
        """One statement by autocommit, for tables without tenants (the bus's own, look-ups)."""
        async with self._connection(sql) as connection:
            tag: str = await connection.execute(sql, *args)
            return tag

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """Rows of tables without tenants."""
        async with self._connection(sql) as connection:
            rows: list[Row] = await connection.fetch(sql, *args)
            return rows

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """One row of tables without tenants."""
        async with self._connection(sql) as connection:
            row: Row | None = await connection.fetchrow(sql, *args)
            return row

    async def fetchval(self, sql: str, *args: object) -> Any:
        """One value from tables without tenants."""
        async with self._connection(sql) as connection:
            return await connection.fetchval(sql, *args)

    async def listen(self, channel: str, heard: Callable[[str], None], lost: Callable[[], None]) -> None:
        """Call `heard(payload)` at each `Transaction.notify(channel)`, until cancelled.

        `lost()` is called each time the connection had to be made anew: whatever was said meanwhile was
        not heard, so a cache must be read again. Needs a direct connection, not a transaction pooler.
        """
        await self.listener.listen(f"{self.app.settings.service}.{channel}", heard, lost)

    @asynccontextmanager
    async def _connection(self, sql: str) -> "AsyncIterator[asyncpg.pool.PoolConnectionProxy]":
        hear_alone(sql)
        async with lent(self.pool) as connection:
            with losses_named(connection):
                yield connection


async def _begin(
    connection: "asyncpg.pool.PoolConnectionProxy", tenants: Sequence[UUID], reach: Reach | None
) -> None:
    orgs = ",".join(str(org) for org in tenants)
    settings = (
        "".join(f"; SET LOCAL {name} = '{value}'" for name, value in reach.settings.items()) if reach else ""
    )
    await connection.execute(f"BEGIN; SET LOCAL flotilla.orgs = '{orgs}'{settings}")

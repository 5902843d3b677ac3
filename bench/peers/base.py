"""What every flow is given and must say; CPU of this process, of the broker and of Postgres told apart."""

import os
import resource
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from flotilla.bus.envelope import Outgoing, encode
from flotilla.cause import Cause
from flotilla.events.crm import ContactCreated
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.processes import Processes

TICKS: Final = os.sysconf("SC_CLK_TCK")
SERVERS: Final = ("rabbitmq", "postgres")
QUEUE: Final = "crm.plain"
KEY: Final = "contact.created.v1"
PREFETCH: Final = 400
TOGETHER: Final = 200
"""Confirms in flight and messages acknowledged at once, of who can do that."""


@dataclass(frozen=True)
class Measured:
    """One half of a flow: wall time, and CPU seconds of `client`, `rabbitmq` and `postgres`."""

    seconds: float
    cpu: dict[str, float]

    def cells(self, events: int) -> list[str]:
        """Events a second, then µs of CPU an event."""
        costs = (self.cpu[name] / events * 1e6 for name in ("client", *SERVERS))
        return [f"{events / self.seconds:,.0f}", *(f"{cost:,.1f}" for cost in costs)]


@dataclass
class Bench:
    """Servers of this run's own, its events, and a stop watch."""

    instance: Instance
    number: int
    org: UUID = field(default_factory=new_id)

    async def measure(self, work: Callable[[], Awaitable[object]]) -> Measured:
        """Time and CPU of `work`; what else the servers do meanwhile is counted too."""
        before, wall = self._cpu(), time.perf_counter()
        await work()
        seconds = time.perf_counter() - wall
        return Measured(seconds, {name: used - before[name] for name, used in self._cpu().items()})

    def samples(self) -> list[ContactCreated]:
        """Events of about 1 KiB with their envelope."""
        return [
            ContactCreated(
                contact_id=new_id(),
                name="x" * 300,
                email=None,
                phone=None,
                language=None,
                company_id=None,
                owner_id=None,
                tags=[],
                source="api",
            )
            for _ in range(self.number)
        ]

    def encoded(self) -> list[Outgoing]:
        """As they go over the wire: for flows that are not charged for the encoding."""
        cause = Cause.fresh("service:bench")
        return [encode(event, org=self.org, sequence=1, cause=cause, region="eu") for event in self.samples()]

    def _cpu(self) -> dict[str, float]:
        own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        processes = Processes(self.instance.folder / "run", self.instance.folder / "logs")
        records = {name: processes.record(name) for name in SERVERS}
        trees = _cpu_of_trees()
        servers = {name: trees[record.pid] if record else 0.0 for name, record in records.items()}
        return {"client": sum(used.ru_utime + used.ru_stime for used in own), **servers}


class Flow(Protocol):
    """A way to publish and to consume."""

    @property
    def name(self) -> str:
        """As the table shows it."""

    async def run(self, bench: Bench) -> tuple[Measured, Measured]:
        """All events published, then all consumed: each half measured."""


def _cpu_of_trees() -> dict[int, float]:
    """CPU seconds of each process with all below it, those included that have ended."""
    parents: dict[int, int] = {}
    used: dict[int, float] = defaultdict(float)
    own: dict[int, float] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(path.name)] = int(fields[1])
            own[int(path.name)] = sum(int(each) for each in fields[11:15]) / TICKS
    for pid, seconds in own.items():
        above = pid
        while above in parents:
            used[above] += seconds
            above = parents[above]
    return used

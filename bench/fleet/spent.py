"""What a fleet has spent so far: CPU by process, and what each service asked of Postgres and took from the broker."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg
from flotilla.fleet import Fleet
from flotilla.instance import HOST
from prometheus_client.parser import text_string_to_metric_families

TICKS: Final = os.sysconf("SC_CLK_TCK")
COUNTED: Final = {
    "statements": "flotilla_statements_total",
    "transactions": "flotilla_transactions_total",
    "deliveries": "flotilla_batch_events_sum",
    "batches": "flotilla_batch_events_count",
    "published": "flotilla_events_published_total",
}
"""What a service counts for /metrics."""
WRITTEN: Final = """
SELECT xact_commit AS commits, tup_inserted AS inserted, tup_updated AS updated, tup_deleted AS deleted,
       blks_hit + blks_read AS blocks, pg_stat_wal.wal_bytes / 1024.0 AS "KiB of log",
       pg_stat_wal.wal_sync AS "log's syncs"
FROM pg_stat_database, pg_stat_wal WHERE datname = current_database()"""
"""What Postgres counts: of the fleet's own database, but for the log, which all databases of the server share."""


@dataclass(frozen=True)
class Spent:
    """Seconds of CPU by process, by service what it counted, what Postgres did, and the machine as a whole."""

    cpu: Mapping[str, float]
    asked: Mapping[str, Mapping[str, float]]
    written: Mapping[str, float]
    processors: Mapping[str, float]
    """Seconds of all of them: `all`, `idle`, and `stolen`, when others on the same host had them."""

    def since(self, before: "Spent") -> "Spent":
        """Only what came after."""
        cpu = {name: seconds - before.cpu.get(name, 0.0) for name, seconds in self.cpu.items()}
        asked = {
            service: {name: value - before.asked[service][name] for name, value in counts.items()}
            for service, counts in self.asked.items()
        }
        written = {name: value - before.written[name] for name, value in self.written.items()}
        processors = {name: value - before.processors[name] for name, value in self.processors.items()}
        return Spent(cpu, asked, written, processors)


async def spent(
    fleet: Fleet,
    others: Mapping[str, int],
    replicas: Mapping[str, int],
    known: Mapping[str, float] | None = None,
) -> Spent:
    """Up to now; `others` are processes that are no part of the fleet, by name, and `known` the seconds of CPU of what
    has no process to itself. What `replicas` (`ai-2`, by their ports) spend is their service's.
    """
    asked: dict[str, dict[str, float]] = {}
    ports = {name: fleet.instance.service_ports[name] for name in fleet.instance.services}
    async with aiohttp.ClientSession() as session:
        for name, port in (ports | dict(replicas)).items():
            async with session.get(f"http://{HOST}:{port}/metrics") as answer:
                counts = asked.setdefault(_service(name), dict.fromkeys(COUNTED, 0.0))
                for metric, value in _counted(await answer.text()).items():
                    counts[metric] += value
    roots = pids(fleet) | dict(others)
    roots |= {name: record.pid for name in replicas if (record := fleet.processes.record(name))}
    cpu: dict[str, float] = defaultdict(float, known or {})
    for name, seconds in cpu_by_process(roots).items():
        cpu[_service(name)] += seconds
    return Spent(cpu, asked, await _written(fleet), _processors())


def _processors() -> dict[str, float]:
    """By proc_stat(5); what a guest has is counted with its host's."""
    fields = [int(each) / TICKS for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return {"all": sum(fields), "idle": fields[3] + fields[4], "stolen": fields[7]}


async def _written(fleet: Fleet) -> dict[str, float]:
    connection = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        row = await connection.fetchrow(WRITTEN)
    finally:
        await connection.close()
    return {name: float(value) for name, value in row.items()}


def _service(name: str) -> str:
    return name.partition("-")[0]


def _counted(text: str) -> dict[str, float]:
    found = dict.fromkeys(COUNTED, 0.0)
    wanted = {metric: name for name, metric in COUNTED.items()}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if name := wanted.get(sample.name):
                found[name] += sample.value
    return found


def pids(fleet: Fleet) -> dict[str, int]:
    """The main process of each service and server that runs here."""
    found = {name: record.pid for name in fleet.instance.services if (record := fleet.processes.record(name))}
    return found | {server.name: pid for server in fleet.servers() if (pid := server.status().pid)}


def cpu_by_process(roots: Mapping[str, int]) -> dict[str, float]:
    """Seconds so far of each, children included."""
    names = {pid: name for name, pid in roots.items()}
    standing = {int(path.name): _stat(path) for path in _processes()}
    used: dict[str, float] = defaultdict(float)
    for pid, (_, seconds) in standing.items():
        root = pid
        while root not in names and root in standing and standing[root][0] > 1:
            root = standing[root][0]
        if root in names:
            used[names[root]] += seconds
    return dict(used)


def _processes() -> Iterator[Path]:
    return (path for path in Path("/proc").iterdir() if path.name.isdigit())


def _stat(path: Path) -> tuple[int, float]:
    """The parent, and the CPU of the process and of its children that have ended."""
    try:
        fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0, 0.0
    return int(fields[1]), sum(int(each) for each in fields[11:15]) / TICKS

"""The bus against its peers, in one run on the same servers: `make bench` or `python -m bench.bus`.

The same number of events of about 1 KiB goes through the same quorum queue, published first, then consumed
  PerfTest   RabbitMQ's own client in Java, where there is one; touches no database
  raw        aio-pika alone: 200 confirms in flight, acknowledged together; touches no database
  FastStream as its documentation has it, confirms in flight; touches no database (`--group bench`)
  naive      a transaction an event on both sides: state and outbox row, publish, delete; then inbox and effect
  flotilla   commit with outbox, publish after commit, lane, inbox and effect, in batches (of `--commit` events)
and the table says events a second and CPU in µs an event: of the client, of the broker, of Postgres. Needs
`flotilla up -i test --only-servers`; whatever else uses those servers meanwhile is counted with them.
"""

import argparse
import importlib.util

import uvloop
from flotilla.testing.isolation import isolated
from flotilla.testing.synthetic import service
from rich.console import Console
from rich.table import Table

from bench.peers.aio_pika_alone import Naive, Raw
from bench.peers.base import Bench, Flow, Measured
from bench.peers.own import HotPath, Whole
from bench.peers.perf_test import PerfTest

Result = tuple[str, Measured, Measured]


def flows(commit: int) -> list[Flow]:
    """Those that can run here."""
    found: list[Flow] = [PerfTest()] if PerfTest.possible() else []
    found.append(Raw())
    if importlib.util.find_spec("faststream"):
        from bench.peers.faststream_alone import FastStream

        found.append(FastStream())
    return [*found, Naive(), Whole(1), Whole(1, at_once=8), Whole(1, at_once=64), Whole(commit), HotPath()]


async def main(number: int, commit: int, only: str) -> None:
    """Run each on stores and a vhost of its own, and print the table."""
    results: list[Result] = []
    for flow in flows(commit):
        if only in flow.name:
            async with isolated(service, "bench") as instance:
                results.append((flow.name, *await flow.run(Bench(instance, number))))
    show(results, number)


def show(results: list[Result], number: int) -> None:
    """The table; the ratios are of whole flows, publish and consume after one another."""
    table = Table(
        title=f"{number:,} events of about 1 KiB through a quorum queue: events/s, µs of CPU an event"
    )
    table.add_column("flow")
    for half in ("publish", "consume"):
        for title in (f"{half}/s", "client", "broker", "pg"):
            table.add_column(title, justify="right")
    whole = {name: published.seconds + consumed.seconds for name, published, consumed in results}
    peers = [peer for peer in ("naive", "FastStream") if peer in whole]
    for peer in peers:
        table.add_column(f"× {peer}", justify="right")
    for name, published, consumed in results:
        ratios = [f"{whole[peer] / whole[name]:.1f}" for peer in peers]
        table.add_row(name, *published.cells(number), *consumed.cells(number), *ratios)
    Console(width=140).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--commit", type=int, default=100, help="events a commit in the batched form")
    parser.add_argument("--only", default="", help="flows whose name has this in it")
    arguments = parser.parse_args()
    uvloop.run(main(arguments.events, arguments.commit, arguments.only))

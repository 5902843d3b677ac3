"""RabbitMQ's PerfTest (Java): what the broker can do with its makers' own client. No database."""

import asyncio
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from flotilla.bus.topology import EXCHANGE

from bench.peers.base import KEY, PREFETCH, QUEUE, TOGETHER, Bench, Measured

POM: Final = Path(__file__).with_name("perf_test.pom.xml")
SIZE: Final = 925
"""Bytes: what the other flows' events have."""
TIMES: Final = 10
"""It is given so many times the events, because its virtual machine compiles as it goes; the costs are an event's."""
RATE: Final = re.compile(r"(?:sending|receiving) rate avg: ([\d,.]+) msg/s")


class PerfTest:
    """Its rates are its own, without the start of its virtual machine; its CPU is with it."""

    name = "PerfTest (Java)"

    @staticmethod
    def possible() -> bool:
        """Whether there is a Java to run it and a Maven to fetch it."""
        return all(shutil.which(program) for program in ("java", "mvn"))

    async def run(self, bench: Bench) -> tuple[Measured, Measured]:
        """Its producer, then its consumer."""
        jars = await self._jars(bench.instance.root / ".flotilla" / "tools" / "perf-test")
        number = bench.number * TIMES
        publish = ["-x", "1", "-y", "0", "-C", number, "-c", TOGETHER, "-s", SIZE]
        publish += ["-f", "persistent", "-f", "mandatory"]
        consume = ["-x", "0", "-y", "1", "-D", number, "-q", PREFETCH, "-A", TOGETHER]
        return (
            await self._half(bench, jars, publish),
            await self._half(bench, jars, consume),
        )

    async def _half(self, bench: Bench, jars: Path, options: list[object]) -> Measured:
        said = b""

        async def work() -> None:
            nonlocal said
            command = [
                "java",
                "-cp",
                f"{jars}/*",
                "com.rabbitmq.perf.PerfTest",
                "-h",
                bench.instance.amqp_url,
            ]
            command += ["-p", "-e", EXCHANGE, "-t", "topic", "-k", KEY, "-u", QUEUE]
            process = await asyncio.create_subprocess_exec(
                *command, *map(str, options), stdout=asyncio.subprocess.PIPE
            )
            said, _ = await process.communicate()
            if process.returncode:
                raise RuntimeError(said.decode())

        measured = await bench.measure(work)
        found = RATE.findall(said.decode())
        if not found:
            raise RuntimeError(said.decode())
        rate = max(float(each.replace(",", "")) for each in found)
        cpu = {name: used / TIMES for name, used in measured.cpu.items()}
        return replace(measured, seconds=bench.number / rate, cpu=cpu)

    async def _jars(self, folder: Path) -> Path:
        jars = folder / "lib"
        if not jars.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(POM, folder / "pom.xml")
            goal = ["dependency:copy-dependencies", "-DoutputDirectory=lib"]
            fetching = await asyncio.create_subprocess_exec("mvn", "-q", *goal, cwd=folder)
            if await fetching.wait():
                raise RuntimeError("Maven could not fetch PerfTest")
        return jars

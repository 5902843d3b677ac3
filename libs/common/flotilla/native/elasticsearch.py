"""Elasticsearch: an embedded node from Maven Central's jars. Optional: search falls back to Postgres."""

import asyncio
import hashlib
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Final

from flotilla.giving_way import give_way
from flotilla.instance import HOST, Instance
from flotilla.native.node import PLAIN_ENVIRONMENT, START_SECONDS, Node
from flotilla.servers import ServerStatus, ServerUnavailableError

NICENESS: Final = 15
"""What is written is found a moment later as it is; who writes must not wait for it."""
_INSTEAD = "search runs on Postgres, and what only Elasticsearch can show is skipped"
_one_at_a_time = asyncio.Lock()


class Elasticsearch(Node):
    """The instance's search node."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance, "elasticsearch", instance.ports.elasticsearch)
        self._sources = instance.root / "deploy" / "native" / "elasticsearch"
        self._build = instance.elasticsearch_build

    async def install(self) -> None:
        async with _one_at_a_time:
            if not self._is_built():
                for program in ("java", "javac", "mvn"):
                    if shutil.which(program) is None:
                        raise ServerUnavailableError(f"{program} is not installed: {_INSTEAD}")
                await asyncio.to_thread(self._make)

    async def start(self) -> None:
        if not self._processes.alive(self.name):
            ports = self._instance.ports
            self._claim(ports.elasticsearch)
            self._claim(ports.elasticsearch_transport)
            folder = self._make_folder()
            classes = f"{self._build / 'classes'}:{self._build / 'lib'}/*"
            command: list[str | Path] = [
                shutil.which("java") or "java",
                "-Xms256m",
                "-Xmx512m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                classes,
            ]
            command += [
                "flotilla.search.SearchNode",
                str(ports.elasticsearch),
                str(ports.elasticsearch_transport),
            ]
            self._processes.start(self.name, [*command, folder / "home"], PLAIN_ENVIRONMENT, cwd=folder)
        await self._processes.wait_ready(self.name, self._answers, START_SECONDS)
        if self._instance.file.give_way:
            self.give_way()

    def give_way(self) -> None:
        """Where the processors are full, it waits for the others: all the threads it has now do, and their session."""
        if (record := self._processes.record(self.name)) is not None:
            give_way(NICENESS, record.pid)

    def status(self) -> ServerStatus:
        status = super().status()
        if status.state == "stopped" and not self._is_built():
            return ServerStatus(self.name, "unavailable", status.address, note=f"not built: {_INSTEAD}")
        return status

    async def _answers(self) -> bool:
        return await asyncio.to_thread(self._is_healthy)

    def _is_healthy(self) -> bool:
        url = f"http://{HOST}:{self._port}/_cluster/health?wait_for_status=yellow&timeout=1s"
        try:
            with urllib.request.urlopen(url, timeout=3) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _make(self) -> None:
        """Fetches the jars and compiles our classes; the mark comes last, so half a build is no build."""
        shutil.rmtree(self._build, ignore_errors=True)
        library, classes = self._build / "lib", self._build / "classes"
        classes.mkdir(parents=True)
        pom = self._sources / "pom.xml"
        fetch: list[str | Path] = [
            "mvn",
            "-q",
            "-B",
            "-f",
            pom,
            "dependency:copy-dependencies",
            f"-DoutputDirectory={library}",
        ]
        build: list[str | Path] = ["javac", "-encoding", "UTF-8", "-cp", f"{library}/*", "-d", classes]
        for command in (fetch, [*build, *self._java()]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
            if done.returncode != 0:
                tail = "\n".join((done.stdout + done.stderr).splitlines()[-6:])
                raise ServerUnavailableError(
                    f"{command[0]} could not build the search node: {_INSTEAD}\n{tail}"
                )
        (self._build / "built").write_text(self._fingerprint())

    def _is_built(self) -> bool:
        mark = self._build / "built"
        return mark.is_file() and mark.read_text() == self._fingerprint()

    def _fingerprint(self) -> str:
        parts = [self._sources / "pom.xml", *self._java()]
        return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()

    def _java(self) -> list[Path]:
        return sorted(self._sources.glob("src/**/*.java"))

"""What the gateway's door costs against nginx, in one run before the same upstream: `python -m bench.gateway`.

  nginx        Debian's, with proxy_pass, connections kept to the upstream, streamed bodies, a log
  starlette    Starlette with aiohttp's client
  forwarding   the gateway on a route open to all, with no Redis to ask: forwarding alone
  by address   the same, counting each request against its address's limit in Redis
  signed in    the gateway with an access token: authentication, rate limit, revocation and principal
each in one process, given the same requests by wrk over kept connections, in rounds one after another, so that a busy
minute of the machine falls on all of them. The table has medians: CPU (user and system) of the proxy's process in µs
a request, what it is of nginx's right before and after, requests a second and the 99th percentile. Brings nginx, wrk
and redis-server from Debian where they are missing; starts servers of its own. `--profile` leaves stacks of the gateway
in bench/profiles/.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Final

import uvloop
from flotilla.ids import new_id
from flotilla.native import apt
from flotilla.native.redis import PROGRAM as REDIS
from flotilla.testing.ports import free_ports
from joserfc import jwt
from joserfc.jwk import OKPKey
from rich.console import Console
from rich.table import Table

from bench.edge import load, nginx
from bench.edge.door import KID
from bench.edge.load import Answered, Case
from bench.fleet import profile
from bench.fleet.spent import cpu_by_process

READY_SECONDS: Final = 30
PROFILES: Final = Path(__file__).parent / "profiles"
CASES: Final = (
    Case("GET small", "GET", "small"),
    Case("POST small", "POST", "small", 200),
    Case("GET 64 KiB", "GET", "large"),
    Case("POST 64 KiB", "POST", "small", 64 * 1024),
)
NGINX: Final = "nginx"
AIMS: Final = {"forwarding": 3.0, "signed in": 8.0}
"""Times nginx's CPU a request."""


@dataclass(frozen=True)
class Proxy:
    """One that runs."""

    name: str
    port: int
    pid: int
    folder: str = "open"
    """The path's first segment behind /v1."""


@dataclass(frozen=True)
class Sample:
    """One round of one proxy and one kind of request."""

    cpu: float
    """µs a request."""
    answered: Answered
    against: float = 1.0
    """Times nginx's, of the rounds before and after it."""


class Tokens:
    """Access tokens as auth makes them."""

    def __init__(self) -> None:
        self._key = OKPKey.generate_key("Ed25519", {"kid": KID})
        x = self._key.as_dict(private=False)["x"]
        assert isinstance(x, str)
        self.x = x

    def fresh(self) -> str:
        """Of a person, good for a quarter of an hour."""
        now = int(time.time())
        ids = {name: str(new_id()) for name in ("sub", "org", "sid")}
        claims = {"iss": "flotilla", "role": "team_member", "iat": now, "exp": now + 900, **ids}
        return jwt.encode({"alg": "Ed25519", "kid": KID}, claims, self._key, algorithms=["Ed25519"])


@asynccontextmanager
async def started(folder: Path, x: str) -> AsyncIterator[list[Proxy]]:
    """The upstream, Redis and all proxies, until the end."""
    upstream, redis, nobody, *ports = free_ports(7)
    python = sys.executable
    door = (python, "-m", "bench.edge.door", "--upstream", f"{upstream}", "--key", x)
    forwarding, limited = f"{folder}/forwarding", f"{folder}/limited"
    commands: dict[int, list[str]] = {
        upstream: nginx.upstream(folder / "upstream", upstream),
        redis: [str(REDIS), "--port", f"{redis}", "--bind", "127.0.0.1", "--save", "", "--dir", f"{folder}"],
        ports[0]: nginx.proxy(folder / "proxy", ports[0], upstream),
        ports[1]: [python, "-m", "bench.peers.starlette_aiohttp", f"{ports[1]}", f"{upstream}"],
        ports[2]: [*door, "--port", f"{ports[2]}", "--redis", f"{nobody}", "--folder", forwarding],
        ports[3]: [*door, "--port", f"{ports[3]}", "--redis", f"{redis}", "--folder", limited],
    }
    processes: dict[int, asyncio.subprocess.Process] = {}
    try:
        with (folder / "said.log").open("wb") as said:
            for port, command in commands.items():
                processes[port] = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said)
                await _answers(port)
        pids = [processes[port].pid for port in ports]
        yield [
            Proxy(NGINX, ports[0], pids[0]),
            Proxy("starlette", ports[1], pids[1]),
            Proxy("forwarding", ports[2], pids[2]),
            Proxy("by address", ports[3], pids[3]),
            Proxy("signed in", ports[3], pids[3], folder="things"),
        ]
    finally:
        for process in processes.values():
            if process.returncode is None:
                process.terminate()
        await asyncio.gather(*(process.wait() for process in processes.values()))


async def _answers(port: int) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def sample(folder: Path, proxy: Proxy, case: Case, options: argparse.Namespace, token: str) -> Sample:
    """One round."""
    url = f"http://127.0.0.1:{proxy.port}/v1/{proxy.folder}/{case.file}"
    before = cpu_by_process({proxy.name: proxy.pid})[proxy.name]
    answered = await load.run(folder, url, case, options.seconds, options.connections, token)
    spent = cpu_by_process({proxy.name: proxy.pid})[proxy.name] - before
    return Sample(spent / answered.requests * 1e6, answered)


async def main(options: argparse.Namespace) -> None:
    """Install, start, measure in rounds, print."""
    await nginx.install()
    await load.install()
    await apt.ensure(REDIS, "redis-server")
    cases = [case for case in CASES if options.only in case.name]
    found: dict[tuple[str, str], list[Sample]] = {}
    tokens = Tokens()
    with tempfile.TemporaryDirectory(prefix="flotilla-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker is nobody in particular.
        async with started(folder, tokens.x) as proxies:
            for _ in range(options.rounds):
                for case in cases:
                    for name, samples in (await taken(folder, proxies, case, options, tokens)).items():
                        found.setdefault((case.name, name), []).extend(samples)
            if options.profile:
                await profiled(folder, proxies, options, tokens)
    show(found, cases, list(dict.fromkeys(name for _, name in found)))


async def taken(
    folder: Path, proxies: list[Proxy], case: Case, options: argparse.Namespace, tokens: Tokens
) -> dict[str, list[Sample]]:
    """A round of each proxy, between two of nginx: what the machine's host does meanwhile falls on both."""
    first, *others = proxies
    nginxs = [await sample(folder, first, case, options, tokens.fresh())]
    found = {NGINX: nginxs}
    for proxy in others:
        one = await sample(folder, proxy, case, options, tokens.fresh())
        nginxs.append(await sample(folder, first, case, options, tokens.fresh()))
        found[proxy.name] = [replace(one, against=one.cpu / mean(each.cpu for each in nginxs[-2:]))]
    return found


async def profiled(folder: Path, proxies: list[Proxy], options: argparse.Namespace, tokens: Tokens) -> None:
    """Where the gateway spends its time on small GETs."""
    for proxy in proxies:
        if proxy.name in AIMS:
            pids = {f"door-{proxy.name.replace(' ', '-')}": proxy.pid}
            await asyncio.gather(
                profile.record(pids, options.seconds, PROFILES),
                sample(folder, proxy, CASES[0], options, tokens.fresh()),
            )


def show(found: dict[tuple[str, str], list[Sample]], cases: list[Case], names: list[str]) -> None:
    """The table, and whether the aims hold."""
    table = Table(title="one process each, before the same upstream: medians")
    for title in ("request", "proxy", "CPU µs", "× nginx", "requests/s", "p50 ms", "p99 ms"):
        table.add_column(title, justify="left" if title in ("request", "proxy") else "right")
    for case in cases:
        for name in names:
            samples = found[case.name, name]
            cpu = median(one.cpu for one in samples)
            against = median(one.against for one in samples)
            aim = f" (aim {AIMS[name]:g})" if name in AIMS else ""
            rates = [
                median(getattr(one.answered, what) for one in samples) for what in ("rate", "p50", "p99")
            ]
            table.add_row(
                case.name,
                name,
                f"{cpu:,.1f}",
                f"{against:.2f}{aim}",
                f"{rates[0]:,.0f}",
                *(f"{rate:.2f}" for rate in rates[1:]),
            )
        table.add_section()
    Console(width=110).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=1, help="a round of one proxy and kind of request")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--only", default="", help="kinds of request whose name has this in it")
    parser.add_argument("--profile", action="store_true")
    uvloop.run(main(parser.parse_args()))

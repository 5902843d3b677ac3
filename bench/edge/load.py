"""wrk, in a process of its own: one thread, connections that are kept, as many requests as are answered."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flotilla.native import apt

PROGRAM: Final = Path("/usr/bin/wrk")
_SCRIPT: Final = """
wrk.method = "%(method)s"
%(body)s
done = function(summary, latency, requests)
  local wrong = summary.errors
  io.write(string.format('{"answered":%%d,"us":%%d,"p50":%%d,"p99":%%d,"wrong":%%d}\\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99),
    wrong.connect + wrong.read + wrong.write + wrong.status + wrong.timeout))
end
"""
_BODY: Final = 'wrk.body = string.rep("x", %d)\nwrk.headers["content-type"] = "application/json"'


@dataclass(frozen=True)
class Case:
    """One kind of request."""

    name: str
    method: str
    file: str
    """The path's last segment, which says what the upstream answers."""
    body: int = 0
    """Bytes sent."""


@dataclass(frozen=True)
class Answered:
    """What one run of it gave."""

    requests: int
    rate: float
    """A second."""
    p50: float
    p99: float
    """Milliseconds."""


class WrongError(RuntimeError):
    """Something else than a plain answer came: figures of it would say nothing."""


async def install() -> None:
    """From Debian, where it is missing."""
    await apt.ensure(PROGRAM, "wrk")


async def run(folder: Path, url: str, case: Case, seconds: float, connections: int, token: str) -> Answered:
    """Load one proxy for so long."""
    script = folder / f"{case.name.replace(' ', '-')}.lua"
    script.write_text(_SCRIPT % {"method": case.method, "body": _BODY % case.body if case.body else ""})
    options = ("-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(script))
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        *options,
        *("-H", f"authorization: Bearer {token}"),
        url,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    told = json.loads(said.splitlines()[-1])
    if told["wrong"] or not told["answered"]:
        raise WrongError(f"{url}: {told}")
    return Answered(
        told["answered"], told["answered"] / told["us"] * 1e6, told["p50"] / 1e3, told["p99"] / 1e3
    )

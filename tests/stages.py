"""Runs the tests in stages, the cheap ones first, on the `test` instance's servers.

A stage that fails ends the run. Where only a few tests failed they are run once more, alone: one that passes then
failed for what else the machine was doing, and is counted as `rerun` in the last line, so that nobody overlooks it; one
that is broken fails again. Servers that this run started are stopped at its end; those that were up stay
up. The last line sums up all stages in pytest's own form.

    python tests/stages.py [option ...] [path ...]      only these paths, in one stage, with these options of pytest
"""

import asyncio
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flotilla.cli.screen import explained, report
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.testing.sweep import sweep

ROOT: Final = Path(__file__).resolve().parents[1]
IN_PARALLEL: Final = ("-n", "2")
BY_FLEET: Final = (*IN_PARALLEL, "--dist", "loadscope")
"""What shares a fleet shares a process: `tests/conftest.py`. Both wait more than they work."""
STAGES: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = (
    ("units and contracts", ("libs", "checks", "deploy", "tests/contracts"), IN_PARALLEL),
    ("services", ("services",), IN_PARALLEL),
    ("end to end", ("tests/e2e", "tests/chaos", "tests/replay"), BY_FLEET),
)
FAILED: Final = 1
NO_TESTS: Final = 5
FEW: Final = 6
"""As many may be the machine's fault; more are ours."""


def main(only: list[str]) -> int:
    options = tuple(each for each in only if each.startswith("-"))
    chosen = tuple(each for each in only if each not in options)
    stages = (("chosen", chosen, options or IN_PARALLEL),) if chosen else STAGES
    began = time.monotonic()
    counts: Counter[str] = Counter()
    with explained("test"), _servers():
        for name, paths, given in stages:
            there = [path for path in paths if (ROOT / path.partition("::")[0]).exists()]
            code = _run(name, there, given, counts) if there else NO_TESTS
            if code not in (0, NO_TESTS):
                return code
    print(_closing_line(counts, time.monotonic() - began))
    return 0


def _run(name: str, paths: list[str], options: tuple[str, ...], counts: Counter[str]) -> int:
    print(f"— {name}: {' '.join(paths)}", flush=True)
    code, found = _pytest(name, (*options, *paths))
    if code == FAILED and found["failed"] <= FEW:
        print(f"— {found['failed']} failed in company; once more, alone", flush=True)
        alone = (*(option for option in options if option not in BY_FLEET), *paths)
        code, again = _pytest(name, ("--last-failed", "--last-failed-no-failures=none", *alone))
        if code == NO_TESTS:
            return FAILED
        found = found + again - Counter(failed=found["failed"]) + Counter(rerun=again["passed"])
    if code == 0:
        counts.update(found)
    return code


def _pytest(name: str, arguments: Sequence[str]) -> tuple[int, Counter[str]]:
    """One run of pytest: its exit status, and how many tests passed, failed, were skipped."""
    summary = ROOT / ".flotilla" / "test" / "reports" / f"{name.replace(' ', '-')}.xml"
    most = f"--maxfail={FEW + 1}"
    command = [sys.executable, "-m", "pytest", "-q", most, f"--junitxml={summary}", *arguments]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    found: Counter[str] = Counter()
    if code in (0, FAILED):
        for suite in ElementTree.parse(summary).getroot().iter("testsuite"):
            skipped, tests = int(suite.get("skipped", 0)), int(suite.get("tests", 0))
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            found += Counter(skipped=skipped, failed=failed, passed=tests - skipped - failed)
    return code, found


@contextmanager
def _servers() -> Iterator[None]:
    """The test instance's servers, left as they were found."""
    fleet = Fleet(Instance.load("test"), report)
    found = {server.name for server in fleet.servers() if server.status().state == "running"}
    with fleet.exclusive():
        asyncio.run(_ready(fleet))
    try:
        yield
    finally:
        with fleet.exclusive():
            asyncio.run(fleet.stop_servers(leave=found))


async def _ready(fleet: Fleet) -> None:
    await fleet.start_servers()
    if removed := await sweep(fleet.instance):
        report("sweep", f"{removed} things removed that killed runs had left", 0)


def _closing_line(counts: Counter[str], seconds: float) -> str:
    parts = [f"{count} {outcome}" for outcome in ("passed", "skipped", "rerun") if (count := counts[outcome])]
    return f" {', '.join(parts)} in {seconds:.2f}s ".center(80, "=")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

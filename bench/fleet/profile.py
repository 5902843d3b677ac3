"""Where processes spend their time, by py-spy: stacks for a flame graph, and tables of the dearest functions."""

import asyncio
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SAMPLES_A_SECOND: Final = 100
SHOWN: Final = 25


class NotInstalledError(RuntimeError):
    """py-spy is not there."""


def program() -> str:
    """Where py-spy is."""
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if found is None:
        raise NotInstalledError("no py-spy here: `uv sync --all-packages --group bench` brings it")
    return found


async def record(pids: Mapping[str, int], seconds: float, folder: Path) -> None:
    """Sample these processes for so long: `<name>.folded` (what speedscope and flamegraph.pl read), `<name>.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    await asyncio.gather(*(_record(name, pid, seconds, folder) for name, pid in pids.items()))


async def _record(name: str, pid: int, seconds: float, folder: Path) -> None:
    stacks = folder / f"{name.strip('()')}.folded"
    options = ("--format", "raw", "--rate", str(SAMPLES_A_SECOND), "--duration", str(max(1, int(seconds))))
    process = await asyncio.create_subprocess_exec(
        program(),
        *("record", "--pid", str(pid), "--nonblocking", "--function", *options, "--output", str(stacks)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    words = dearest(stacks.read_text()) if stacks.exists() else said.decode(errors="replace")
    stacks.with_suffix(".txt").write_text(words)


def dearest(folded: str) -> str:
    """By function the share of samples in it and in what it called, and in it alone."""
    within: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    total = 0
    for line in folded.splitlines():
        stack, _, times = line.rpartition(" ")
        frames = stack.split(";")
        total += int(times)
        alone[frames[-1]] += int(times)
        for frame in set(frames):
            within[frame] += int(times)
    lines = [f"{total} samples"]
    for title, counts in (("with what it called", within), ("alone", alone)):
        lines.append(f"\n{title}")
        lines += [f"{times / total:7.1%}  {frame}" for frame, times in counts.most_common(SHOWN)]
    return "\n".join(lines) + "\n"

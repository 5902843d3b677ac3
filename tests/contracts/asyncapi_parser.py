"""AsyncAPI's own parser, run with Node; installed once from the lock file beside this."""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

HERE: Final = Path(__file__).parent
ERROR: Final = 0
"""The parser's severity of what makes a document invalid."""


def install() -> None:
    """Have the parser in node_modules; skip where there is no Node, which CI never lacks."""
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("Node 20 with npm is needed to read the AsyncAPI document")
        pytest.skip("Node 20 with npm is needed to read the AsyncAPI document")
    wanted = HERE / "package-lock.json"
    installed = HERE / "node_modules" / ".package-lock.json"
    with wanted.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # one test worker installs, the others find it done
        if not installed.is_file() or installed.stat().st_mtime < wanted.stat().st_mtime:
            subprocess.run(["npm", "ci", "--no-progress"], cwd=HERE, check=True, timeout=300)


def parse(document: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What the parser holds against a document (errors only), and what it found in it."""
    run = subprocess.run(
        ["node", "parse.mjs", str(document.resolve())],
        cwd=HERE,
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    )
    said = json.loads(run.stdout)
    errors = [found for found in said["diagnostics"] if found["severity"] == ERROR]
    return errors, said["found"]

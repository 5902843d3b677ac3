"""Servers that tests run against and that are published as Go programs: built once, kept with the project's tools."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flotilla.instance import Instance


def built(name: str, module: str, program: str | None = None) -> Path:
    """The program that `go install <module>` leaves, built where it is not there yet.

    `program` is its file's name where the module does not end in `name`. Skips the test where there is no Go.
    """
    folder = Instance.load("test").tools / name
    path = folder / (program or name)
    if path.is_file():
        return path
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        pytest.skip(f"{name} is built with Go, and there is none here")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:  # two test workers build it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.is_file():
            environment = {**os.environ, "GOBIN": str(folder)}
            subprocess.run([go, "install", module], check=True, env=environment)  # noqa: S603
    return path

"""Debian packages, installed without letting them start anything: the system's servers are not ours."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flotilla.servers import InstallFailedError

_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_REFUSE: Final = "#!/bin/sh\n# Keeps a package that is being installed from starting its service.\nexit 101\n"
_APT: Final = ("apt-get", "-o", "DPkg::Lock::Timeout=300")
_one_at_a_time = asyncio.Lock()


async def ensure(program: Path, package: str) -> None:
    """Installs the package unless its program is there."""
    async with _one_at_a_time:
        await asyncio.to_thread(_install, program, package)


def _install(program: Path, package: str) -> None:
    if program.exists():
        return
    by_hand = f"install it yourself: sudo apt-get install -y --no-install-recommends {package}"
    if os.geteuid() != 0:
        raise InstallFailedError(f"{program} is missing and only root may install {package}; {by_hand}")
    with _services_held_back():
        _run([*_APT, "update", "-q"], by_hand)
        _run([*_APT, "install", "-y", "-q", "--no-install-recommends", package], by_hand)
    if not program.exists():
        raise InstallFailedError(
            f"{package} is installed but {program} is still missing; Debian 12 is needed"
        )


@contextmanager
def _services_held_back() -> Iterator[None]:
    """invoke-rc.d asks policy-rc.d before it starts a service; one that is already there is left alone."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text(_REFUSE)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def _run(command: list[str], by_hand: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as absent:
        raise InstallFailedError(
            f"there is no apt-get here; {by_hand}, or what your system calls it"
        ) from absent
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise InstallFailedError(f"{' '.join(command)} failed:\n{tail}\n{by_hand}")

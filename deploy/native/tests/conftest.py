"""A machine of its own for each module: an empty checkout with free ports, sharing only the programs."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from flotilla.fleet import Fleet
from flotilla.instance import Instance, project_root
from flotilla.testing.ports import free_ports


@pytest.fixture(scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    root = tmp_path_factory.mktemp("checkout")
    _lay_out(root)
    fleet = Fleet(Instance.load("spare", root))
    yield fleet
    await fleet.stop_servers()
    # Where the database's user can't enter the temporary folder its cluster lies elsewhere: see postgres.py.
    await asyncio.to_thread(shutil.rmtree, (fleet.instance.folder / "postgres").resolve(), ignore_errors=True)


def _lay_out(root: Path) -> None:
    project = project_root()
    (root / "deploy" / "instances").mkdir(parents=True)
    (root / "deploy" / "native").symlink_to(project / "deploy" / "native")
    (root / ".flotilla").mkdir()
    (root / ".flotilla" / "tools").symlink_to(project / ".flotilla" / "tools")
    text = (project / "deploy" / "instances" / "dev.toml").read_text()
    ports = iter(free_ports(text.count("= ")))
    text = re.sub(r"= \d{4}$", lambda _: f"= {next(ports)}", text, flags=re.MULTILINE)
    (root / "deploy" / "instances" / "spare.toml").write_text(text)

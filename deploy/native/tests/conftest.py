"""A machine of its own for each module: an empty checkout with free ports, sharing only the programs."""

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flotilla.fleet import Fleet
from flotilla.instance import Instance, project_root


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
    ports = iter(_free_ports(text.count("= ")))
    text = re.sub(r"= \d{4}$", lambda _: f"= {next(ports)}", text, flags=re.MULTILINE)
    (root / "deploy" / "instances" / "spare.toml").write_text(text)


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; held together, so that no two are the same."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]

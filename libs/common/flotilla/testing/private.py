"""An instance of a test's own: servers of its own, to be killed and brought back while nobody else notices."""

import re
from pathlib import Path

from flotilla.instance import TLS_MARK, Instance, project_root
from flotilla.testing.ports import free_ports

NAME = "private"


def private_instance(folder: Path, *, tls: bool = False, region: str = "eu") -> Instance:
    """Its settings, on free ports, in a checkout that shares only the programs. Nothing is started.

    PostgreSQL keeps its data in a folder that only its own user can read: remove it by `postgres_data`.
    """
    project = project_root()
    (folder / "deploy" / "instances").mkdir(parents=True)
    (folder / ".flotilla").mkdir()
    links = ("deploy/native", ".flotilla/tools", "services", "libs", "contracts")
    for link in links:
        (folder / link).symlink_to(project / link)
    text = (project / "deploy" / "instances" / "test.toml").read_text()
    ports = iter(free_ports(len(re.findall(r"= \d{4}$", text, re.MULTILINE))))
    text = re.sub(r"= \d{4}$", lambda _: f"= {next(ports)}", text, flags=re.MULTILINE)
    text = text.replace("elasticsearch = true", "elasticsearch = false")
    text = text.replace('region = "eu"', f'region = "{region}"')
    (folder / "deploy" / "instances" / f"{NAME}.toml").write_text(text)
    if tls:
        mark = folder / ".flotilla" / NAME / TLS_MARK
        mark.parent.mkdir(parents=True)
        mark.touch()
    return Instance.load(NAME, folder)


def postgres_data(instance: Instance) -> Path:
    """Where its database lies."""
    return (instance.folder / "postgres").resolve()

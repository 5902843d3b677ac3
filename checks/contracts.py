"""contracts/ is what the code says, and no released contract has lost anything."""

from collections.abc import Iterator
from pathlib import Path

from flotilla.events import CONTRACTS
from flotilla.events.contracts import ContractsFolder

from checks.project import Finding, Project

TITLE = "contracts/ is what the code says"


def check(project: Project) -> Iterator[Finding]:
    """The folder against the code."""
    services = tuple(service.service for service in project.running())
    for complaint in ContractsFolder(project.root / "contracts", CONTRACTS, services).check():
        yield Finding(Path("contracts"), 1, complaint)

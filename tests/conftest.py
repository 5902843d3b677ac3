"""Who runs what, where tests run in several processes."""

import pytest
from xdist.scheduler import LoadScopeScheduling


class ByFleet(LoadScopeScheduling):  # type: ignore[misc]
    """What is done to the one fleet of tests/e2e is done by one process, in order; the rest has its own."""

    def _split_scope(self, nodeid: str) -> str:
        return "one fleet" if nodeid.startswith("tests/e2e/") else "others"


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFleet | None:
    """Only where scopes are asked for; else as xdist does."""
    return ByFleet(config, log) if config.getoption("dist") == "loadscope" else None

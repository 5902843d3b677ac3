"""How long the chaos lasts: two minutes in all by default, `--chaos long` for the whole of it."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--chaos short|long`."""
    parser.addoption("--chaos", choices=("short", "long"), default="short")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether everything is broken that can be, and more than once."""
    return bool(request.config.getoption("--chaos", default="short") == "long")


@pytest.fixture(scope="session")
def rounds(long: bool) -> int:
    """How often each thing is broken: a second time the processes and servers are not new any more."""
    return 2 if long else 1

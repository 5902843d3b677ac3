"""How long the chaos lasts: two minutes in all by default, `--chaos long` for the whole of it."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--chaos short|long`."""
    parser.addoption("--chaos", choices=("short", "long"), default="short")


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """How often each thing is broken."""
    return 5 if request.config.getoption("--chaos") == "long" else 1

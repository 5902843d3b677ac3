"""The word lists and phrases shipped in the package."""

import tomllib
from functools import cache
from importlib import resources


def lines_of(resource: str) -> list[str]:
    """Lines of a file under resources/, without comments and empty ones."""
    text = resources.files("flotilla_ai").joinpath("resources", resource).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("# ")]


@cache
def phrases() -> dict[str, dict[str, dict[str, str]]]:
    """Tone, language, name: phrase."""
    return tomllib.loads(resources.files("flotilla_ai").joinpath("resources/phrases.toml").read_text("utf-8"))

"""What a process takes at rest."""

import subprocess
import sys
from typing import Final

PROGRAM: Final = """
import resource, sys
from flotilla.http.application import build
{}
assert "openai" not in sys.modules and "phonenumbers" not in sys.modules
pages = int(open("/proc/self/statm").read().split()[1])
print(pages * resource.getpagesize())
"""
AI: Final = """
from flotilla_ai.service import service
from flotilla_ai.domain.language import warm_up
build(service)
warm_up()
"""
ANY: Final = """
from flotilla.testing.synthetic import service
build(service)
"""
"""A service with next to nothing of its own: what this machine needs for any."""


def resident(loads: str) -> int:
    """Bytes of a process that has loaded this."""
    command = [sys.executable, "-c", PROGRAM.format(loads)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_a_process_is_small_until_it_is_asked_more() -> None:
    """Loaded and warm, without the libraries that only some organizations need."""
    assert resident(AI) < 1.5 * resident(ANY)

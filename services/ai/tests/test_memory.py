"""What a process takes at rest."""

import subprocess
import sys
from typing import Final

MEBIBYTE: Final = 1 << 20

PROGRAM: Final = """
import resource, sys
from flotilla.http.application import build
from flotilla_ai.service import service
from flotilla_ai.domain.language import warm_up
build(service)
warm_up()
assert "openai" not in sys.modules and "phonenumbers" not in sys.modules
pages = int(open("/proc/self/statm").read().split()[1])
print(pages * resource.getpagesize())
"""


def test_a_process_is_small_until_it_is_asked_more() -> None:
    """Loaded and warm, without the libraries that only some organizations need."""
    output = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(output.stdout) < 150 * MEBIBYTE

"""Files a process may open; in a process of its own, for a limit that was lowered would be the other tests' too."""

import resource
import subprocess
import sys

SAYS = """
import resource
from flotilla.open_files import allow_all_files
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
print(allow_all_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_process_takes_all_the_files_it_is_let() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    done = subprocess.run([sys.executable, "-c", SAYS], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == [str(most)] * 3

"""`python -m flotilla.testing.child <module> [<fault> [<passes>]]`: the module's `service`, which may die.

Settings come from the environment, as for any service.
"""

import importlib
import sys
from typing import get_args

import uvloop

from flotilla.bus import faults
from flotilla.run import run


def main() -> None:
    """Run it; with a fault named, die there, after so many passes."""
    module, *fault = sys.argv[1:]
    if fault:
        point = next(point for point in get_args(faults.Point) if point == fault[0])
        faults.arm(point, int(fault[1]) if len(fault) > 1 else 0)
    uvloop.run(run(importlib.import_module(module).service))


if __name__ == "__main__":
    main()

"""How cost grows: with replicas, organizations, messages in one conversation, archived events, due steps,
and open sockets.

    python -m bench.growth                                     all parts, each a few minutes
    python -m bench.growth archive --archive 1000000 3000000 10000000
    python -m bench.growth conversation organizations          only these

On the `test` instance's servers (`flotilla up -i test --only-servers`), each part on stores of its own. Ten million
events want about 10 GB of disk and time to be written; the defaults stop at one million. `verification` reads all of
an archive again, where `archive` reads at most two million.
"""

import argparse
import time
from typing import Any, Final

import structlog
import uvloop

from bench.scale import archive, conversation, organizations, replicas, sockets, steps

PARTS: Final = {
    "conversation": (conversation.grow, (10, 100, 1_000, 10_000, 100_000)),
    "organizations": (organizations.grow, (1, 100, 10_000)),
    "archive": (archive.grow, (10_000, 100_000, 1_000_000)),
    "verification": (archive.verify_wholly, (10_000, 100_000, 1_000_000)),
    "replicas": (replicas.grow, (1, 2, 4)),
    "steps": (steps.grow, (0, 1_000, 10_000)),
    "sockets": (sockets.grow, (100, 1_000, 10_000)),
}
"""What grows, and how far."""


async def main(options: argparse.Namespace) -> None:
    """One part after the other."""
    for name in options.parts or PARTS:
        grow, _ = PARTS[name]
        began = time.monotonic()
        await grow(getattr(options, name))
        print(f"({time.monotonic() - began:,.0f} s)\n", flush=True)


def parsed() -> Any:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="by default all")
    for name, (_, sizes) in PARTS.items():
        parser.add_argument(f"--{name}", type=int, nargs="+", default=sizes, metavar="N")
    return parser.parse_args()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    uvloop.run(main(parsed()))

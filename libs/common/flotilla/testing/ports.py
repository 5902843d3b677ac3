"""Ports for servers that must know theirs before they listen.

Below the ephemeral range (net.ipv4.ip_local_port_range begins at 32768), so that no outgoing connection of
anybody takes one between the choice and the listening; drawn at random, so that two test workers rarely
meet, and held together, so that no two of one call are the same.
"""

import random
import socket
from contextlib import ExitStack
from typing import Final

LOWEST: Final = 12_000
HIGHEST: Final = 32_000


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listens."""
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            port = random.randint(LOWEST, HIGHEST)
            one = held.enter_context(socket.socket())
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
        return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]

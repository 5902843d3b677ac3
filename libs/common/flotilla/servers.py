"""What any way of running the servers must offer: this machine's own programs today, containers later.

A backend is a function from an instance to its servers; the commands know nothing else about it.
"""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """How a server is doing; `memory` in bytes, 0 when it is not running."""

    name: str
    state: Literal["running", "stopped", "unavailable"]
    address: str
    pid: int | None = None
    memory: int = 0
    note: str = ""


class ServerUnavailableError(RuntimeError):
    """An optional server can't be had on this machine; the message says why and what stands in for it."""


class InstallFailedError(RuntimeError):
    """A needed program could not be installed; the message says what to do by hand."""


class Server(Protocol):
    """One server of an instance."""

    @property
    def name(self) -> str: ...

    async def install(self) -> None:
        """Brings the program to this machine if it isn't there.

        Raises:
            InstallFailedError: it is needed and could not be had.
            ServerUnavailableError: it is optional and can't be had here.
        """

    async def start(self) -> None:
        """Returns when the server answers its own protocol; does nothing to one that already does."""

    async def stop(self) -> bool:
        """A clean stop; false if it wasn't running."""

    async def reload(self) -> None:
        """Has it show a certificate that was made anew, without a break; where it can't, from its next start."""

    def status(self) -> ServerStatus: ...

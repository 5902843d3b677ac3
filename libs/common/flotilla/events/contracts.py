"""The contracts folder: written from the code, compared with it, released.

    python -m flotilla.events.contracts            write every file of contracts/ (`make contracts`)
    python -m flotilla.events.contracts check      say what is stale or broken, write nothing
    python -m flotilla.events.contracts release    promise every contract that is not promised yet

A contract that isn't in contracts/released.lock may still change; one that is may only grow.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flotilla import service
from flotilla.events import CONTRACTS, asyncapi, released
from flotilla.events.base import Contract
from flotilla.events.schema import envelope_schema
from flotilla.http import openapi
from flotilla.instance import project_root
from flotilla.service import Service

ASYNCAPI: Final = "asyncapi.yaml"
OPENAPI: Final = "openapi.json"
LOCK: Final = "released.lock"
EVENTS: Final = "events"


class BrokenContractError(ValueError):
    """A released contract lost something; the message says what and what to do."""


@dataclass(frozen=True)
class ContractsFolder:
    """A folder of contracts, and the code that it shall agree with."""

    path: Path
    contracts: Mapping[str, Contract]
    services: tuple[Service, ...]

    def write(self, *, release: bool = False) -> list[str]:
        """Bring it up to date; the files that changed. With `release`, promise every contract.

        BrokenContractError where a released contract is broken; nothing is written then.
        """
        if broken := released.broken(self.lock, self.contracts):
            raise BrokenContractError("\n".join(broken))
        files = self._render(self.contracts if release else self.lock)
        changed = [name for name, text in files.items() if self._read(name) != text]
        for name in changed:
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(files[name])
        stray = self._stray(files)
        for name in stray:
            (self.path / name).unlink()
        return sorted([*changed, *stray])

    def check(self) -> list[str]:
        """Broken promises, or the files that say something else than the code; empty where all is well."""
        if broken := released.broken(self.lock, self.contracts):
            return broken
        files = self._render(self.lock)
        stale = [name for name, text in files.items() if self._read(name) != text] + self._stray(files)
        return [
            f"{self.path.name}/{name} is not what the code says; run `make contracts`"
            for name in sorted(stale)
        ]

    @property
    def lock(self) -> released.Lock:
        """What was promised."""
        return released.read_lock(self.path / LOCK)

    def _render(self, promised: Mapping[str, object]) -> dict[str, str]:
        """Every file by its name in the folder; the same code always gives the same bytes."""
        files = {
            f"{EVENTS}/{type_}.json": _pretty(envelope_schema(contract))
            for type_, contract in self.contracts.items()
        }
        files[ASYNCAPI] = asyncapi.render(self.contracts, self.services)
        files[OPENAPI] = _pretty(openapi.merged(self.services))
        if promised:
            files[LOCK] = released.write_lock(released.promise(promised, self.contracts))
        return files

    def _stray(self, files: Mapping[str, str]) -> list[str]:
        """Schemas of contracts that are gone; none of a released one, that is refused before."""
        found = (f"{EVENTS}/{path.name}" for path in (self.path / EVENTS).glob("*.json"))
        return [name for name in found if name not in files]

    def _read(self, name: str) -> str | None:
        path = self.path / name
        return path.read_text() if path.is_file() else None


def here() -> ContractsFolder:
    """contracts/ of this checkout, and everything that is installed with it."""
    return ContractsFolder(project_root() / "contracts", CONTRACTS, service.present())


def write(*, release: bool = False) -> list[str]:
    """Bring contracts/ up to date; the files that changed."""
    return here().write(release=release)


def check() -> list[str]:
    """What stands between contracts/ and the code; empty where all is well."""
    return here().check()


def _pretty(tree: object) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """The command line; the exit code."""
    verb = arguments[0] if arguments else "write"
    if verb not in ("write", "check", "release") or len(arguments) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    if verb == "check":
        found = check()
        print("\n".join(found) or f"{len(CONTRACTS)} contracts: all as the code says.")
        return 1 if found else 0
    try:
        changed = write(release=verb == "release")
    except BrokenContractError as broken:
        print(broken, file=sys.stderr)
        return 1
    print("\n".join(f"contracts/{name}" for name in changed) or "Nothing has changed.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

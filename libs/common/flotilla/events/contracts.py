"""The contracts folder: written from the code, compared with it, released.

    python -m flotilla.events.contracts            write every file of contracts/ (`make contracts`)
    python -m flotilla.events.contracts check      say what is stale or broken, write nothing
    python -m flotilla.events.contracts release    promise every contract that is not promised yet

A contract that isn't in contracts/released.lock may still change; one that is may only grow.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from flotilla import service
from flotilla.events import asyncapi, released
from flotilla.events.base import CONTRACTS, Contract
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


def default_folder() -> Path:
    """contracts/ of this checkout."""
    return project_root() / "contracts"


def render(
    contracts: Mapping[str, Contract], services: Iterable[Service], lock: released.Lock
) -> dict[str, str]:
    """Every file of the folder by its path in it; the same code always gives the same bytes."""
    present = tuple(services)
    files = {
        f"{EVENTS}/{type_}.json": _pretty(envelope_schema(contract)) for type_, contract in contracts.items()
    }
    files[ASYNCAPI] = asyncapi.render(contracts, present)
    files[OPENAPI] = _pretty(openapi.merged(present))
    if lock:
        files[LOCK] = released.write_lock(lock)
    return files


def write(folder: Path | None = None, *, release: bool = False) -> list[str]:
    """Bring the folder up to date; the paths that changed. With `release`, promise every contract.

    BrokenContractError where a released contract is broken; nothing is written then.
    """
    folder = folder or default_folder()
    lock = released.read_lock(folder / LOCK)
    if broken := released.broken(lock, CONTRACTS):
        raise BrokenContractError("\n".join(broken))
    lock = released.promise(CONTRACTS if release else lock, CONTRACTS)
    files = render(CONTRACTS, service.present(), lock)
    changed = [path for path, text in files.items() if _text(folder / path) != text]
    for path in changed:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(files[path])
    stray = _stray(folder, files)
    for path in stray:
        (folder / path).unlink()
    return sorted([*changed, *stray])


def check(folder: Path | None = None) -> list[str]:
    """Broken promises, or the files that say something else than the code; empty where all is well."""
    folder = folder or default_folder()
    lock = released.read_lock(folder / LOCK)
    if broken := released.broken(lock, CONTRACTS):
        return broken
    files = render(CONTRACTS, service.present(), released.promise(lock, CONTRACTS))
    stale = [path for path, text in files.items() if _text(folder / path) != text] + _stray(folder, files)
    return [f"contracts/{path} is not what the code says; run `make contracts`" for path in sorted(stale)]


def _stray(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Schemas of contracts that are gone; none of a released one, that is refused before."""
    found = (f"{EVENTS}/{path.name}" for path in (folder / EVENTS).glob("*.json"))
    return [path for path in found if path not in files]


def _text(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


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
    print("\n".join(f"contracts/{path}" for path in changed) or "Nothing has changed.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the servers themselves wrote down of a run: their logs from the moment on at which its fleet began.

Servers are shared, and so their logs: of PostgreSQL's, lines of other databases are left out.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from flotilla.instance import Instance

_NOTE: Final = "server-logs.json"
_ENTRY: Final = re.compile(rb"^\d{4}-\d\d-\d\d [^\[]+\[\d+\] (?:(\S*)@(\S*) )?")
"""The head of an entry in PostgreSQL's log (`log_line_prefix`); lines without one go on with the entry before."""
_SHARED: Final = b"postgres"
"""The database in which roles and databases are made."""


def begin(instance: Instance) -> None:
    """Note how long the logs are: what stands in them is of others."""
    sizes = {path.name: path.stat().st_size for path in _logs(instance)}
    instance.fleet_folder.mkdir(parents=True, exist_ok=True)
    (instance.fleet_folder / _NOTE).write_bytes(msgspec.json.encode(sizes))


def written(instance: Instance) -> Iterator[tuple[str, bytes]]:
    """What came since, by the server's name; all there is where nothing was noted, of servers of one's own."""
    note = instance.fleet_folder / _NOTE
    sizes = msgspec.json.decode(note.read_bytes(), type=dict[str, int]) if note.is_file() else {}
    for path in _logs(instance):
        with path.open("rb") as file:
            begun = sizes.get(path.name, 0)
            file.seek(begun if begun <= path.stat().st_size else 0)  # a new file may have taken its place
            content = file.read()
        yield path.stem, of_database(content, instance.database) if path.stem == "postgres" else content


def of_database(content: bytes, database: str) -> bytes:
    """The entries of sessions in this database, and of no database."""
    kept: list[bytes] = []
    ours = True
    for line in content.splitlines(keepends=True):
        if head := _ENTRY.match(line):
            ours = head[2] in (None, _SHARED, database.encode())
        if ours:
            kept.append(line)
    return b"".join(kept)


def _logs(instance: Instance) -> list[Path]:
    """Those of servers; a fleet's own services write elsewhere, but for the instance's main one."""
    services = {*instance.services, *instance.file.simulators}
    return [path for path in sorted((instance.folder / "logs").glob("*.log")) if path.stem not in services]

"""How far each log file was read, kept on disk: what is sent again after a crash has the ids that it had."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from flotilla.log_store.files import Position


class Positions:
    """By what each file is known by."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, Position] = {}
        with suppress(
            FileNotFoundError, msgspec.DecodeError
        ):  # else all is read again, and stands there already
            self._kept = msgspec.json.decode(path.read_bytes(), type=dict[str, Position])

    def of(self, birth: str) -> Position:
        """The beginning, where it was never read."""
        return self._kept.get(birth, Position())

    def keep(self, read: dict[str, Position], present: Collection[str]) -> None:
        """By a draft and a rename; those of files that are no more are forgotten."""
        known = {**self._kept, **read}
        self._kept = {birth: position for birth, position in known.items() if birth in present}
        draft = self._path.with_suffix(".draft")
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(self._kept))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

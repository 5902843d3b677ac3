"""CSV files as bytes: what they are written in, and their rows, a piece at a time.

A piece of a file is read from a byte position at which a row begins, so that a reader that died goes on at the last
position that was kept, whatever the encoding; and nothing longer than a piece is ever in memory.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import charset_normalizer

PIECE: Final = 1024 * 1024 + 256 * 1024
"""Bytes that are looked at at once."""
MAX_ROWS: Final = 1000
DELIMITERS: Final = ",;\t|"
ENCODINGS: Final = (
    "utf-8",
    "utf-16-le",
    "utf-16-be",
    *(f"cp{number}" for number in range(1250, 1259)),
    *(f"iso8859-{number}" for number in (1, 2, 5, 9, 15)),
    *("koi8-r", "koi8-u", "cp866", "mac-roman", "shift_jis", "gb18030", "big5", "euc_kr"),
)
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


class UnreadableError(ValueError):
    """The file cannot be read on from here; the words say why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a file."""

    rows: list[list[str]]
    """Those that are complete; a blank line is an empty row."""
    consumed: int
    """Bytes that they take."""
    ended: bool
    """Nothing comes after them."""


def mark_length(head: bytes) -> int:
    """Bytes of the byte order mark that a file begins with."""
    return next((len(mark) for mark, _ in _MARKS if head.startswith(mark)), 0)


def encoding_of(sample: bytes) -> str:
    """What a file is written in, by its beginning: its mark, else UTF-8 where it fits, else the likeliest."""
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    try:
        sample.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError as error:
        if error.start > len(sample) - 4:  # cut off within a letter
            return "utf-8"
    candidates = [name.replace("-", "_") for name in ENCODINGS]
    best = charset_normalizer.from_bytes(sample, cp_isolation=candidates).best()
    found = best.encoding.replace("_", "-") if best else ""
    known = {name.replace("_", "-"): name for name in ENCODINGS}
    return known.get(found, "cp1252")


def delimiter_of(text: str) -> str:
    """What stands between the cells; a comma where nothing does."""
    try:
        return csv.Sniffer().sniff(text, delimiters=DELIMITERS).delimiter
    except csv.Error:
        first = text.partition("\n")[0]
        return max(DELIMITERS, key=first.count)


def read_piece(data: bytes, *, last: bool, encoding: str, delimiter: str, limit: int = MAX_ROWS) -> Piece:
    """Up to `limit` complete rows at the beginning of `data`; `last`: the file ends with it.

    UnreadableError where not one is complete: a quote was left open, or a row is longer than a piece.
    """
    lines = _Lines(data, last, encoding)
    rows: list[list[str]] = []
    consumed = 0
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            if lines.exhausted and not last:
                break  # it was cut off within a quoted cell
            rows.append(row)
            consumed = lines.consumed
            if len(rows) == limit:
                break
    except csv.Error as error:
        if not rows:
            raise UnreadableError(f"A row cannot be read ({error}): is a quote left open?") from None
    if not rows and not last:
        raise UnreadableError("A row is longer than 1 MiB: is a quote left open?")
    return Piece(rows, consumed, last and consumed == len(data))


class _Lines:
    """Lines of bytes, decoded as they are asked for. A letter that is none in the encoding becomes U+FFFD."""

    def __init__(self, data: bytes, last: bool, encoding: str) -> None:
        self._data = data
        self._last = last
        self._encoding = encoding
        self._newline = "\n".encode(encoding)
        self.consumed = 0
        self.exhausted = False

    def __iter__(self) -> Iterator[str]:
        while (end := self._line_end()) is not None:
            line = self._data[self.consumed : end].decode(self._encoding, "replace")
            self.consumed = end
            yield line.replace("\0", "\ufffd")
        self.exhausted = True

    def _line_end(self) -> int | None:
        unit = len(self._newline)
        at = self._data.find(self._newline, self.consumed)
        while at >= 0 and (at - self.consumed) % unit:  # half of two neighbouring letters
            at = self._data.find(self._newline, at + 1)
        if at >= 0:
            return at + unit
        return len(self._data) if self._last and self.consumed < len(self._data) else None

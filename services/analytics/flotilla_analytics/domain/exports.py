"""A table as a file: CSV, JSON or XLSX, written piece by piece, so that its length costs no memory."""

import csv
import io
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import xlsxwriter

CONTENT_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
PIECE: Final = 64 * 1024
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (CWE-1236)."""


def pieces(format_: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """The file's bytes. Cells are text, whole numbers, decimals or None."""
    match format_:
        case "csv":
            return _csv(columns, rows)
        case "json":
            return _json(columns, rows)
        case "xlsx":
            return _xlsx(columns, rows)
    raise ValueError(format_)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """RFC 4180, with a byte-order mark, without which spreadsheets guess the encoding."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([harmless(cell) for cell in row])
        if buffer.tell() > PIECE:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """An array of objects; decimals as strings, that no reader rounds."""
    buffer, before = io.StringIO(), "[\n"
    for row in rows:
        told = dict(zip(columns, row, strict=True))
        buffer.write(before + json.dumps(told, ensure_ascii=False, default=str))
        before = ",\n"
        if buffer.tell() > PIECE:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    buffer.write("[]\n" if before == "[\n" else "\n]\n")
    yield buffer.getvalue().encode()


def _xlsx(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Rows go to a temporary file as they come (`constant_memory`); text stays text, never a formula or link."""
    with tempfile.TemporaryFile() as file:
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "default_date_format": "yyyy-mm-dd",
        }
        with xlsxwriter.Workbook(file, options) as book:
            sheet = book.add_worksheet("Report")
            bold = book.add_format({"bold": True})
            sheet.freeze_panes(1, 0)
            for place, column in enumerate(columns):
                sheet.write_string(0, place, column, bold)
            for number, row in enumerate(rows, 1):
                for place, cell in enumerate(row):
                    _write(sheet, number, place, cell)
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def _write(sheet: Any, row: int, column: int, cell: Any) -> None:
    if cell is None:
        return
    if isinstance(cell, str):
        sheet.write_string(row, column, cell)
    else:
        sheet.write(row, column, cell)


def harmless(cell: Any) -> Any:
    """Text that a spreadsheet would run is shown instead; numbers stay as they are."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

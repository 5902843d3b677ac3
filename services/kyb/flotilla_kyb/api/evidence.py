"""Evidence of a check, for somebody who was not there: what was asked, what was answered, each answer's hash."""

import base64
import csv
import io
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from flotilla.store.postgres import Row

from flotilla_kyb.store.checks import Check

COLUMNS: Final = ("source", "verdict", "reason", "field", "value", "answers", "sha256", "fetched_at")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def as_json(check: Check, results: Sequence[Row], answers: Sequence[Row]) -> bytes:
    """Everything, each raw answer as text, or as base64 where it is none."""
    document = {
        "check": vars(check),
        "results": [dict(row) for row in results],
        "answers": [_answer(row) for row in answers],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def as_csv(results: Sequence[Row], answers: Sequence[Row]) -> bytes:
    """A line for each field of each register, with the hashes of the answers that show it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for result in results:
        own = [row for row in answers if row["source"] == result["source"]]
        proof = (
            str(len(own)),
            " ".join(row["sha256"].hex() for row in own),
            " ".join(f"{row['fetched_at']:%Y-%m-%dT%H:%M:%SZ}" for row in own),
        )
        said = (result["source"], result["verdict"], result["reason"])
        for name, value in (result["fields"] or {"": None}).items():
            writer.writerow([_cell(cell) for cell in (*said, name, value, *proof)])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _cell(value: str | None) -> str:
    """What a spreadsheet would take for a formula is marked as text: registers' words are not ours."""
    text = value or ""
    return f"'{text}" if text.startswith(FORMULA) else text


def _answer(row: Row) -> dict[str, Any]:
    try:
        body, encoding = row["body"].decode(), "utf-8"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(row["body"]).decode(), "base64"
    return {
        "id": row["id"],
        "source": row["source"],
        "request": row["request"],
        "status": row["status"],
        "media_type": row["media_type"],
        "fetched_at": row["fetched_at"],
        "sha256": row["sha256"].hex(),
        "encoding": encoding,
        "body": body,
    }

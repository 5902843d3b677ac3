"""`python -m flotilla_analytics.verify_export <file> [--key KEY] [--noted <position>:<hash>]`: is the file as it was
exported?

Takes no server and no settings. Prints what was read and each thing that is wrong; ends with 1 where anything is.
"""

import argparse
import sys
from pathlib import Path

from flotilla_analytics.export_verification import Reading, verify_export


def main(arguments: list[str]) -> int:
    """The exit status: 0 where everything holds."""
    parser = argparse.ArgumentParser(prog="flotilla audit verify")
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", default="")
    parser.add_argument("--noted", type=_noted)
    said = parser.parse_args(arguments)
    with said.file.open("rb") as lines:
        reading = verify_export(lines, key=said.key, noted=said.noted)
    _print(reading, trusted=bool(said.key))
    return 0 if reading.holds else 1


def _print(reading: Reading, *, trusted: bool) -> None:
    print(f"{len(reading.acts)} acts in {len(reading.blocks)} blocks")
    for finding in reading.findings:
        where = f"position {finding.position}" if finding.position is not None else "no position"
        print(f"{finding.wrong}: {finding.what} ({where}, event {finding.event_id or 'unknown'})")
    if not reading.holds:
        return
    print("everything is as it was exported")
    if not trusted:
        print(
            f"signed by {reading.key}: compare it with GET /v1/audit/key, or give the one you noted as --key"
        )
    if reading.end is not None and reading.end.head:
        print(f"its head: {reading.end.head}")


def _noted(text: str) -> tuple[int, bytes]:
    position, _, digest = text.partition(":")
    return int(position), bytes.fromhex(digest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

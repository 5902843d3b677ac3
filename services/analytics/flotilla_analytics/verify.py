"""`python -m flotilla_analytics.verify [--since] [<position>:<hash>]`: is the archive as it was sealed?

Prints what was read and each thing that is wrong; ends with 1 where anything is. An earlier head that was noted
elsewhere shows also a change after which every hash was made to fit again; with `--since` what was sealed up to there
is not read again. Settings come from the environment.
"""

import asyncio
import sys
from typing import Final

from flotilla.process import opened

from flotilla_analytics.service import service
from flotilla_analytics.verification import Report, verify

SINCE: Final = "--since"


def main(arguments: list[str]) -> int:
    """The exit status: 0 where everything holds."""
    given = [argument for argument in arguments if argument != SINCE]
    noted = _noted(given[0]) if given else None
    if noted is None and SINCE in arguments:
        sys.exit(f"{SINCE} wants a head to begin at: <position>:<hash in hex>")
    report = asyncio.run(_verified(noted, only_since=SINCE in arguments))
    print(f"{report.events} events in {report.blocks} blocks")
    for finding in report.findings:
        where = f"position {finding.position}" if finding.position is not None else "no position"
        print(f"{finding.wrong}: {finding.what} ({where}, event {finding.event_id or 'unknown'})")
    if report.holds:
        print(f"everything is as it was sealed; note this head: {report.head}:{report.head_hash.hex()}")
    return 0 if report.holds else 1


async def _verified(noted: tuple[int, bytes] | None, *, only_since: bool) -> Report:
    async with opened(service, service.settings()) as app:
        return await (verify(app.db, since=noted) if only_since else verify(app.db, noted=noted))


def _noted(text: str) -> tuple[int, bytes]:
    position, _, digest = text.partition(":")
    try:
        return int(position), bytes.fromhex(digest)
    except ValueError:
        sys.exit(f"a head is noted as <position>:<hash in hex>, not as {text}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

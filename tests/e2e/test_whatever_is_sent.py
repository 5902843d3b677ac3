"""Whatever the document allows, and much that it does not, is sent: no service ever answers with an error of its own.

schemathesis reads contracts/openapi.json, calls every operation with the document's examples and with values of its
own, and follows links from what was made. In `make test` this is bounded; `make fuzz` does the same for longer.
"""

import asyncio
import os
import sys
from pathlib import Path

from flotilla.fleet import Fleet
from flotilla.testing.people import PASSWORD

from tests.e2e.conftest import NewOffice

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "contracts" / "openapi.json"
SHORT = ("--phases=examples,stateful",)
"""By default: each operation's example, and some walks along links."""
LONG = ("--phases=examples,coverage,fuzzing,stateful",)


async def test_no_service_answers_with_an_error_of_its_own(
    new_office: NewOffice, fleet: Fleet, tmp_path: Path
) -> None:
    office = await new_office("Lighthouse")
    seconds = os.environ.get("FUZZ_SECONDS")
    asked = (*LONG, f"--max-time={seconds}") if seconds else SHORT
    asked = (*asked, *os.environ.get("FUZZ_OPTIONS", "").split())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml"),
        *("run", DOCUMENT, *asked, "--no-color"),
        env={
            **os.environ,
            "FLEET_ADDRESS": fleet.instance.public_url,
            "FLEET_EMAIL": office.owner.user["email"],
            "FLEET_PASSWORD": PASSWORD,
        },
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-20_000:]

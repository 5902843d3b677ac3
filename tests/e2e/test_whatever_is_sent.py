"""Whatever the document allows, and much that it does not, is sent: no service ever answers with an error of its own,
nor with what it is not said to answer with.

schemathesis reads contracts/openapi.json, with examples of what an organization has (exemplified.py), calls every
operation with these and with values of its own, and follows links from what was made and from what is listed. In
`make test` this is bounded and the same every time; `make fuzz` does all that can be done for a quarter of an hour.

    make fuzz seconds=200                                   all phases, so long
    FUZZ_OPTIONS="--seed=7" make fuzz seconds=200           the same with other values
    FUZZ_OPTIONS="--include-tag=contacts" make fuzz         of some operations only
    FUZZ_TALLY=tally.txt make fuzz                          every operation and answer is left there, a line each
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flotilla.fleet import Fleet
from flotilla.testing.people import PASSWORD, Person

from tests.e2e.cast import has_every_feature
from tests.e2e.conftest import NewOffice
from tests.e2e.exemplified import dictionaries, exemplified
from tests.e2e.pairs import filled

HERE: Final = Path(__file__).parent
DOCUMENT: Final = HERE.parents[1] / "contracts" / "openapi.json"
SHORT: Final = ("--phases=examples,stateful", "--generation-deterministic")
"""By default: each operation's example, and some walks along links."""
LONG: Final = ("--phases=examples,coverage,fuzzing,stateful",)
NAMED: Final = {"connector": "telegram", "type": "deal.won.v1"}
"""Parts of paths that are no ids."""
REACHED: Final = 0.75
"""Of all operations so many are done at least once (2xx): what is refused at the door is not tried."""


async def test_no_service_answers_with_an_error_of_its_own(
    new_office: NewOffice, fleet: Fleet, tmp_path: Path
) -> None:
    full = await filled(new_office, fleet, await new_office("Market"), "Lighthouse")
    await has_every_feature(full.owner)
    # Whoever has a passkey proves with it who they are, which schemathesis cannot.
    await full.owner.ok("DELETE", f"/v1/me/passkeys/{full.ids['passkey_id']}")
    tally = Path(os.environ.get("FUZZ_TALLY", tmp_path / "tally.txt")).absolute()
    code, said = await _sent(fleet, full.owner, {**full.ids, **NAMED}, tally, tmp_path)
    assert code == 0, said[-20_000:]
    answered = [line.split(" ") for line in tally.read_text().splitlines()]
    tried = {(method, path) for _, method, path, _ in answered}
    done = {(method, path) for _, method, path, status in answered if status.startswith("2")}
    if "FUZZ_SECONDS" not in os.environ:  # which is of whatever operations, and by other methods too
        assert len(done) > REACHED * len(tried), sorted(tried - done)


async def _sent(
    fleet: Fleet, owner: Person, ids: Mapping[str, str], tally: Path, folder: Path
) -> tuple[int | None, str]:
    """schemathesis's exit status, and what it says of the answers that it found wrong."""
    document, config = folder / "openapi.json", folder / "schemathesis.toml"
    document.write_text(json.dumps(exemplified(json.loads(DOCUMENT.read_text()), ids)))
    config.write_text((HERE / "schemathesis.toml").read_text() + "\n" + dictionaries(ids))
    seconds = os.environ.get("FUZZ_SECONDS")
    asked = (*LONG, f"--max-time={seconds}") if seconds else SHORT
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", str(document), *asked, *os.environ.get("FUZZ_OPTIONS", "").split(), "--no-color"),
        env={
            **os.environ,
            "FLEET_ADDRESS": fleet.instance.public_url,
            "FLEET_EMAIL": owner.user["email"],
            "FLEET_PASSWORD": PASSWORD,
            "FLEET_TALLY": str(tally),
            "SCHEMATHESIS_HOOKS": str(HERE / "tallied.py"),
        },
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()

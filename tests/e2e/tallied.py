"""Loaded by schemathesis, in its own process: counts what came of each operation, for test_whatever_is_sent.py."""

import os
import threading
from pathlib import Path
from typing import Any, Final

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.generation.meta import TestPhase

_TALLY: Final = Path(os.environ["FLEET_TALLY"])
_ONE_AT_A_TIME: Final = threading.Lock()
_KEY: Final = "Idempotency-Key"


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """An example is done, and is not taken for a repetition of another."""
    if case.meta is not None and case.meta.phase.name == TestPhase.EXAMPLES:
        case.headers.pop(_KEY, None)


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """A line of a phase, an operation and what it was answered with: `examples GET /v1/contacts 200`."""
    phase = case.meta.phase.name if case.meta is not None else "-"
    with _ONE_AT_A_TIME, _TALLY.open("a") as tally:
        tally.write(f"{phase} {case.method.upper()} {case.operation.path} {response.status_code}\n")

"""Runs every check and reports; exits 1 where a rule is broken.

python -m checks [--root DIR] [--require-database] [NAME ...]
"""

import argparse
import sys
import time
from pathlib import Path
from types import ModuleType

from checks import (
    anatomy,
    calls,
    contents,
    contracts,
    database,
    dependencies,
    documents,
    events,
    imports,
    lists,
    projections,
    routes,
    sql,
    tenancy,
    transactions,
)
from checks.project import Finding, NotImportableError, Project

CHECKS: dict[str, ModuleType] = {
    "imports": imports,
    "dependencies": dependencies,
    "transactions": transactions,
    "sql": sql,
    "tenancy": tenancy,
    "calls": calls,
    "anatomy": anatomy,
    "contents": contents,
    "documents": documents,
    "projections": projections,
    "events": events,
    "contracts": contracts,
    "routes": routes,
    "lists": lists,
    "database": database,
}


def main() -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m checks", description="Runs every check and reports.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(CHECKS)}")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument(
        "--require-database", action="store_true", help="fail where the test instance is down"
    )
    said = parser.parse_args()
    if unknown := set(said.names) - CHECKS.keys():
        parser.error(f"there is no check named {', '.join(sorted(unknown))}")
    project = Project(said.root.resolve())
    held = [_run(CHECKS[name], project, said.require_database) for name in said.names or CHECKS]
    return 0 if all(held) else 1


def _run(check: ModuleType, project: Project, require_database: bool) -> bool:
    """Whether a rule holds: one line where it does, what breaks it where not."""
    began = time.monotonic()
    try:
        found: list[Finding] = sorted(check.check(project))
    except database.AwayError as away:
        print(f"{'✗' if require_database else '–'} {check.TITLE}: {away}")
        return not require_database
    except NotImportableError as error:
        print(f"✗ {check.TITLE}: {error}")
        return False
    note = check.note(project) if hasattr(check, "note") else ""
    print(
        f"{'✗' if found else '✓'} {check.TITLE}{f' ({note})' if note else ''}, {time.monotonic() - began:.1f} s"
    )
    for finding in found:
        print(f"    {finding}")
    return not found


if __name__ == "__main__":
    sys.exit(main())

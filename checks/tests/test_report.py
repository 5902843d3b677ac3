"""What `python -m checks` prints, and its exit code."""

import subprocess
import sys
from pathlib import Path

from checks.tests.conftest import Tree

ROOT = Path(__file__).resolve().parents[2]


def run(tree: Tree, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "checks", "--root", str(tree.root), *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(tree.root / "services" / "kyb")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_rules_that_hold(tree: Tree) -> None:
    done = run(tree, "imports", "calls")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["✓ imports", "✓ forbidden calls"]


def test_a_rule_that_is_broken(tree: Tree) -> None:
    tree.package("domain.py", "import flotilla_crm\n")
    done = run(tree, "calls", "imports")
    assert done.returncode == 1
    assert "✗ imports" in done.stdout
    assert (
        "\n    services/kyb/flotilla_kyb/domain.py:1: flotilla_kyb imports flotilla_crm; keep" in done.stdout
    )


def test_a_service_that_cannot_be_imported(tree: Tree) -> None:
    tree.package("service.py", "import nowhere\n")
    done = run(tree, "routes")
    assert done.returncode == 1
    assert "can't be imported: ModuleNotFoundError" in done.stdout


def test_a_name_that_is_no_check(tree: Tree) -> None:
    done = run(tree, "import")
    assert done.returncode == 2
    assert "there is no check named import" in done.stderr

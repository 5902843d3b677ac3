"""docs/extending.md, followed to the letter in a copy of the project, gives a service that works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("libs", "services", "checks", "contracts", "deploy/instances")
BLOCK = re.compile(r"^```\w+ (new|add):(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with everything that the page says to write."""
    root = tmp_path_factory.mktemp("extended")
    for part in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / part, root / part, ignore=ignored)
    for file in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / file, root / file)
    (root / ".flotilla").symlink_to(ROOT / ".flotilla")
    forget_kyb(root)
    for kind, path, text in BLOCK.findall((ROOT / "docs" / "extending.md").read_text()):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        with (root / path).open("a" if kind == "add" else "x") as file_:
            file_.write(text)
    (root / "services/kyb/flotilla_kyb/py.typed").touch()
    run(root, "flotilla.events.contracts")
    return root


def forget_kyb(root: Path) -> None:
    """The project as it was before the page's example became a service, and before anybody listened to it."""
    shutil.rmtree(root / "services/kyb")
    (root / "libs/common/flotilla/events/kyb.py").unlink()
    for contract in root.glob("contracts/events/counterparty.*"):
        contract.unlink()
    named = re.compile(r'^ +"?kyb("|\.\w+)?,\n|, kyb\b', re.MULTILINE)
    for file_ in (
        "libs/common/flotilla/events/__init__.py",
        "services/websocket/flotilla_websocket/shown.py",
    ):
        (root / file_).write_text(named.sub("", (root / file_).read_text()))


def run(root: Path, *command: str, may_fail: bool = False) -> str:
    """What a command prints in the copy, with the copy's own packages; its failure fails the test."""
    packages = [root, root / "libs/common", *sorted((root / "services").glob("*/"))]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, packages)),
        "FLOTILLA_ROOT": str(root),
    }
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert may_fail or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_contracts_are_written(copy: Path) -> None:
    assert (copy / "contracts/events/counterparty.created.v1.json").is_file()
    assert "kyb.know_companies.company.created.v1:" in (copy / "contracts/asyncapi.yaml").read_text()
    assert '"operationId": "list_counterparties"' in (copy / "contracts/openapi.json").read_text()


def test_it_is_in_good_style_and_typed(copy: Path) -> None:
    written = ("services/kyb", "libs/common/flotilla/events/kyb.py")
    run(copy, "ruff", "check", *written)
    run(copy, "ruff", "format", "--check", *written)
    run(copy, "mypy", *written)


def test_it_keeps_every_rule(copy: Path) -> None:
    report = run(copy, "checks", "--root", str(copy), "--require-database", may_fail=True)
    assert re.findall(r".*(?:kyb|can't be imported|is not what the code says).*", report) == []
    assert "✓ tenants are kept apart in the database" in report


def test_its_own_test_passes(copy: Path) -> None:
    assert "1 passed" in run(copy, "pytest", "-q", "-p", "no:cacheprovider", "services/kyb")

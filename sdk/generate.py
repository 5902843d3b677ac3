"""Makes the generated halves of the clients from contracts/openapi.json; does nothing where they are up to date.

    python sdk/generate.py            both
    python sdk/generate.py python     only one: python, or typescript

They are not committed: they are some hundred files that say what the document says.
"""

import fcntl
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
DOCUMENT: Final = HERE.parent / "contracts" / "openapi.json"
PYTHON: Final = HERE / "python" / "flotilla_client" / "rest"
TYPESCRIPT: Final = HERE / "typescript"
_IMAGES: Final = ("image/gif", "image/jpeg", "image/png", "image/webp")
_FILES: Final = ("application/zip", "application/pdf", *_IMAGES, "*/*")
_CONFIG: Final = {
    "project_name_override": "flotilla-client",
    "package_name_override": "rest",
    "content_type_overrides": dict.fromkeys(_FILES, "application/octet-stream"),
    "post_hooks": [],
}


def python() -> None:
    """sdk/python/flotilla_client/rest, by openapi-python-client."""
    document = without_problems(json.loads(DOCUMENT.read_text()))
    text = json.dumps(document, sort_keys=True)
    digest = hashlib.sha256(f"{version('openapi-python-client')}{_CONFIG}{text}".encode()).hexdigest()
    with _alone(PYTHON.parent / "__init__.py"):
        if _made(PYTHON) == digest:
            return
        with tempfile.TemporaryDirectory() as folder:
            source, config = Path(folder, "openapi.json"), Path(folder, "config.json")
            source.write_text(text)
            config.write_text(json.dumps(_CONFIG))
            program = (
                sys.executable,
                "-m",
                "openapi_python_client",
                "generate",
                "--meta",
                "none",
                "--overwrite",
            )
            where = ("--path", source, "--config", config, "--output-path", PYTHON)
            _run(*map(str, (*program, *where)), cwd=HERE)
        (PYTHON / ".digest").write_text(digest)


def typescript() -> None:
    """sdk/typescript: what package-lock.json names, src/schema.d.ts by openapi-typescript, and dist/ by tsc."""
    sources = sorted({*(TYPESCRIPT / "src").glob("*.ts"), *(TYPESCRIPT / "test").glob("*.ts")})
    made = TYPESCRIPT / "src" / "schema.d.ts"
    read = [DOCUMENT, TYPESCRIPT / "package-lock.json", *(path for path in sources if path != made)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in read)).hexdigest()
    with _alone(TYPESCRIPT / "package.json"):
        if _made(TYPESCRIPT / "dist") == digest:
            return
        installed = TYPESCRIPT / "node_modules" / ".package-lock.json"
        if (
            not installed.is_file()
            or installed.stat().st_mtime < (TYPESCRIPT / "package-lock.json").stat().st_mtime
        ):
            _run("npm", "ci", "--no-progress", "--no-audit", "--no-fund", cwd=TYPESCRIPT)
        _run("npm", "run", "--silent", "build", cwd=TYPESCRIPT)
        (TYPESCRIPT / "dist" / ".digest").write_text(digest)


def without_problems(document: dict[str, Any]) -> dict[str, Any]:
    """The document with answers of success only: the client raises problems, its functions return what was asked."""
    for item in document["paths"].values():
        for operation in item.values():
            operation["responses"] = {
                status: answer for status, answer in operation["responses"].items() if status[0] in "123"
            }
    return document


def _made(folder: Path) -> str | None:
    """Of what the folder was made."""
    try:
        return (folder / ".digest").read_text()
    except FileNotFoundError:
        return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time makes it; the others find it done."""
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(*command: str, cwd: Path) -> None:
    """The command; what it said, where it fails."""
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True, timeout=600)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    for name in sys.argv[1:] or ("python", "typescript"):
        {"python": python, "typescript": typescript}[name]()

"""Keys are changed in steps of which none can be taken too early; what an older version kept is carried over."""

import base64
import stat
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from flotilla import secrets
from flotilla.cli import app
from flotilla.instance import Instance, project_root
from flotilla.secrets import Key
from flotilla.security.principal import PrincipalSigner, PrincipalVerifier
from flotilla.security.sealing import Keyring
from typer.testing import CliRunner, Result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What belongs to `dev` of a checkout of its own; nothing of it runs."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "instances").symlink_to(project_root() / "deploy" / "instances")
    monkeypatch.setenv("FLOTILLA_ROOT", str(tmp_path))
    return tmp_path / ".flotilla" / "dev"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments])


def retired_ago(age: timedelta, folder: Path, kind: secrets.Kind) -> None:
    then = (datetime.now(UTC) - age).isoformat()

    def change(keys: list[Key]) -> list[Key]:
        return [msgspec.structs.replace(key, retired_at=key.retired_at and then) for key in keys]

    secrets.change_keys(folder, kind, change)


def test_hashes_come_of_a_key_of_their_own_that_is_random(folder: Path) -> None:
    made = Instance.load("dev").secrets
    assert made.derivation_keys[0].key != made.master_keys[0].key
    assert len(base64.b64decode(made.derivation_keys[0].key)) == 32
    assert Instance.load("dev").environment("crm")["FLOTILLA_DERIVATION_KEYS"] == made.derivation_keyring


@pytest.mark.parametrize("kept", ["", "bmV2ZXIgdG8gYmUgdGhlIG1hc3RlciBrZXksIDMyIGI="])
def test_what_an_older_version_kept_is_carried_over_as_it_was(folder: Path, kept: str) -> None:
    """Its hashes came of the oldest master key, or of what that had been: they are found as before."""
    now = Instance.load("dev").secrets
    master, principal = now.master_keys[0].key, now.principal_private_key
    path = folder / "secrets.toml"
    text = path.read_text()
    older = text[: text.index("[[derivation_keys]]")] + text[text.index("[postgres.") :]
    lines = f'principal_private_key = "{principal}"\n' + (f'derivation_key = "{kept}"\n' if kept else "")
    path.write_text(lines + older)

    carried = Instance.load("dev").secrets

    assert carried.principal_keys == [Key("p1", principal)]
    assert carried.derivation_keys == [Key("d1", kept or master)]
    assert "derivation_key" not in tomllib.loads(path.read_text()), "it is written down as it is from now on"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (
        Instance.load("dev").secrets
        == carried
        == msgspec.structs.replace(now, derivation_keys=carried.derivation_keys)
    )


def test_a_master_key_that_is_also_what_hashes_come_of_does_not_pretend_to_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: Instance) -> dict[str, int]:
        return {"k1": 0}

    monkeypatch.setattr("flotilla.cli.keys._counted", nothing)
    twin = Instance.load("dev").secrets.master_keys[0].key
    secrets.change_keys(folder, "derivation_keys", lambda _: [Key("d1", twin)])
    assert run("add", "k2").exit_code == run("use", "k2").exit_code == 0
    retired_ago(timedelta(days=2), folder, "master_keys")
    refused = run("drop", "k1")
    assert refused.exit_code == 1
    assert "k1 is d1 too" in " ".join(refused.output.split())
    assert run("derivation", "add", "d2").exit_code == run("derivation", "use", "d2").exit_code == 0
    secrets.change_keys(folder, "derivation_keys", lambda keys: keys[:1])
    assert run("drop", "k1").exit_code == 0
    assert twin not in (folder / "secrets.toml").read_text()


def test_keys_of_principals_are_changed_step_by_step(folder: Path) -> None:
    before = Instance.load("dev")
    assert run("principal", "drop", "p1").exit_code == 1, "it signs"
    assert run("principal", "add", "p2").exit_code == 0
    both = Instance.load("dev")
    assert both.secrets.principal_private_key == before.secrets.principal_private_key
    assert len(both.secrets.principal_public_keys.split(",")) == 2
    assert run("principal", "add", "p2").exit_code == run("principal", "add", "p 3").exit_code == 1
    assert run("principal", "use", "p9").exit_code == 1, "there is none such"
    assert run("principal", "use", "p2").exit_code == 0
    assert run("principal", "drop", "p1").exit_code == 1, "what it signed is good for a minute"
    retired_ago(timedelta(minutes=2), folder, "principal_keys")
    assert run("principal", "drop", "p1").exit_code == 0
    after = Instance.load("dev")
    assert [key.id for key in after.secrets.principal_keys] == ["p2"]
    assert PrincipalSigner(after.secrets.principal_private_key)
    assert PrincipalVerifier(after.secrets.principal_public_keys)


def test_a_derivation_key_is_kept_for_the_links_that_come_of_it(folder: Path) -> None:
    Instance.load("dev")
    assert run("derivation", "add", "d2").exit_code == 0
    known = Instance.load("dev").secrets
    assert Keyring(known.keyring, known.derivation_keyring).derivations == ("d1", "d2"), "known, not in use"
    assert run("derivation", "use", "d2").exit_code == 0
    retired_ago(timedelta(days=50), folder, "derivation_keys")
    refused = run("derivation", "drop", "d1")
    assert refused.exit_code == 1
    assert "less than 60 days ago" in refused.output
    assert [key.id for key in Instance.load("dev").secrets.derivation_keys] == ["d2", "d1"]

"""Derivation keys are changed while auth runs, in replicas that know both: nobody notices, and the old one can go."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flotilla import secrets
from flotilla.cli import app
from flotilla.instance import Instance, project_root
from flotilla.service import FLEET
from flotilla.testing.harness import running
from flotilla_auth.service import service
from flotilla_auth.testing import People
from flotilla_auth.workers import rehash
from typer.testing import CliRunner

Keys = Callable[..., Awaitable[int]]


@pytest.fixture
def keys() -> Keys:
    """`await keys("add", "d2")`: as an operator says it; the exit code."""

    async def said(*arguments: str) -> int:
        command = ["keys", "derivation", *arguments]
        return (await asyncio.to_thread(CliRunner().invoke, app, command)).exit_code

    return said


async def test_people_sign_in_while_the_key_of_their_addresses_hashes_is_changed(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody gets an address twice, under whichever key it was taken."""
    async with running(service, "changed") as before:
        instance = replace(before.instance, root=tmp_path)
        (tmp_path / "services").symlink_to(project_root() / "services")
        instance.folder.mkdir(parents=True)
        shutil.copy(before.instance.folder / "secrets.toml", instance.folder)

        def loaded(*_: object) -> Instance:
            return replace(instance, secrets=secrets.load(instance.folder, FLEET))

        def keyring() -> str:
            return loaded().secrets.derivation_keyring

        monkeypatch.setattr(Instance, "load", loaded)
        owner = await People(before).owner()
        assert await keys("add", "d2") == 0
        async with running(service, instance=before.instance, derivation_keys=keyring()) as neighbour:
            assert await keys("use", "d2") == 0
            async with running(service, instance=before.instance, derivation_keys=keyring()) as both:
                assert (await People(both).sign_in(owner.email)).status == 200
                later = await People(both).owner()
                assert {(await People(both).sign_up(each.email)).status for each in (owner, later)} == {409}
                assert (await People(neighbour).sign_in(later.email)).status == 200, "known before it is used"
                assert (await People(neighbour).sign_up(later.email)).status == 409
            await rehash(neighbour.app)  # whichever process has done it meanwhile
        assert await keys("drop", "d1") == 1, "links in letters come of it"
        assert await keys("drop", "d1", "--leaked") == 1, "the owner's address is found by it"
        async with running(service, instance=before.instance, derivation_keys=keyring()) as both:
            await rehash(both.app)
        assert await keys("drop", "d1", "--leaked") == 0
        assert "d1" not in keyring()
        async with running(service, instance=before.instance, derivation_keys=keyring()) as after:
            for each in (owner, later):
                assert (await People(after).sign_in(each.email)).status == 200, "the old one is gone"

"""The secrets of one named instance: made once, kept in `.flotilla/<name>/secrets.toml`, mode 0600.

Where a fleet runs under an orchestrator these come from its secret store instead, as the same settings.
"""

import base64
import fcntl
import os
import secrets as random
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flotilla.security.sealing import FIRST

Kind = Literal["master_keys", "derivation_keys", "principal_keys"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Key(msgspec.Struct, frozen=True):
    """One of a kind that rotates: 32 bytes, base64."""

    id: str
    key: str
    added_at: str = ""
    """RFC 3339; processes that were started before do not know it. Empty: from the beginning."""
    retired_at: str = ""
    """When another was put to use in its place; empty: not yet."""


class DatabaseRoles(msgspec.Struct, frozen=True):
    """Passwords of a service's two roles: the owner migrates, the runtime role owns nothing."""

    owner: str
    runtime: str


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of an instance's secrets. Of each kind of keys the first is in use; the others are still known."""

    postgres_admin: str
    rabbitmq: str
    redis: str
    master_keys: list[Key]
    """They seal credentials, personal data and files."""
    derivation_keys: list[Key]
    """Keyed hashes and signed links come of them."""
    principal_keys: list[Key]
    """Seeds of Ed25519 with which the gateway signs who asks."""
    postgres: dict[str, DatabaseRoles]

    @property
    def keyring(self) -> str:
        """The master keys as services are told them."""
        return _told(self.master_keys)

    @property
    def derivation_keyring(self) -> str:
        """The derivation keys as services are told them."""
        return _told(self.derivation_keys)

    @property
    def principal_private_key(self) -> str:
        """The seed with which the gateway signs."""
        return self.principal_keys[0].key

    @property
    def principal_public_keys(self) -> str:
        """Whose signatures services believe: raw Ed25519, base64, with commas between them."""
        return ",".join(_public(key) for key in self.principal_keys)


class SecretsLostError(RuntimeError):
    """Servers hold data under secrets that are no longer there."""


def load(folder: Path, services: Sequence[str]) -> Secrets:
    """Reads the folder's secrets; makes them, or those of services that came later, the first time."""
    path = folder / "secrets.toml"
    with _locked(folder):
        kept, carried_over = _read(path) if path.exists() else (None, False)
        if kept is not None and not carried_over and all(service in kept.postgres for service in services):
            return kept
        if kept is None and (folder / "postgres").exists():
            raise SecretsLostError(
                f"{path} is missing, and the servers' data in {folder} can't be opened without it. "
                f"Bring the file back, or remove the folder to begin anew."
            )
        full = _completed(kept, services)
        _write(path, full)
        return full


def change_keys(folder: Path, kind: Kind, change: Callable[[list[Key]], list[Key]]) -> None:
    """Keep what `change` makes of the keys of one kind."""
    path = folder / "secrets.toml"
    with _locked(folder):
        kept, _ = _read(path)
        changed = {kind: change(getattr(kept, kind))}
        _write(path, msgspec.structs.replace(kept, **changed))


def new_key(key_id: str, added_at: str = "") -> Key:
    """A random one."""
    return Key(key_id, _encode(random.token_bytes(32)), added_at)


def _read(path: Path) -> tuple[Secrets, bool]:
    """What is kept, and whether it was of a version with one key of a kind.

    Then, what was hashed and signed came of the first master key. It stays as it is under the same bytes, `d1`, until
    `flotilla keys derivation` replaces them.
    """
    told = tomllib.loads(path.read_text())
    carried_over = "derivation_keys" not in told
    if carried_over:
        derivation_key = told.pop("derivation_key", "") or told["master_keys"][-1]["key"]
        told["derivation_keys"] = [{"id": FIRST, "key": derivation_key}]
        told["principal_keys"] = [{"id": "p1", "key": told.pop("principal_private_key")}]
    return msgspec.convert(told, Secrets), carried_over


def _completed(kept: Secrets | None, services: Sequence[str]) -> Secrets:
    fresh = kept or Secrets(
        postgres_admin=_password(),
        rabbitmq=_password(),
        redis=_password(),
        master_keys=[new_key("k1")],
        derivation_keys=[new_key(FIRST)],
        principal_keys=[new_key("p1")],
        postgres={},
    )
    missing = {
        name: DatabaseRoles(_password(), _password()) for name in services if name not in fresh.postgres
    }
    return msgspec.structs.replace(fresh, postgres=fresh.postgres | missing)


def _write(path: Path, secrets: Secrets) -> None:
    """By a draft and a rename, so that a crash leaves the old file or the new one."""
    lines = [f'{name} = "{getattr(secrets, name)}"' for name in ("postgres_admin", "rabbitmq", "redis")]
    for kind in KINDS:
        for key in getattr(secrets, kind):
            lines += ["", f"[[{kind}]]"]
            lines += [f'{name} = "{value}"' for name, value in msgspec.structs.asdict(key).items() if value]
    for service, roles in secrets.postgres.items():
        lines += ["", f"[postgres.{service}]", f'owner = "{roles.owner}"', f'runtime = "{roles.runtime}"']
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time: two first starts must not make two sets of secrets."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "secrets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _password() -> str:
    """Letters and digits only: it goes into addresses and configuration files as it is."""
    return random.token_hex(20)


def _told(keys: list[Key]) -> str:
    return ",".join(f"{key.id}:{key.key}" for key in keys)


def _public(key: Key) -> str:
    seed = base64.b64decode(key.key)
    return _encode(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()

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

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class MasterKey(msgspec.Struct, frozen=True):
    """A key that seals credentials and personal data: 32 bytes, base64."""

    id: str
    key: str
    added_at: str = ""
    """RFC 3339; processes that were started before do not know it. Empty: from the beginning."""
    retired_at: str = ""
    """When another began to seal in its place; empty: not yet."""


class DatabaseRoles(msgspec.Struct, frozen=True):
    """Passwords of a service's two roles: the owner migrates, the runtime role owns nothing."""

    owner: str
    runtime: str


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of an instance's secrets; the first master key seals, the others still open."""

    postgres_admin: str
    rabbitmq: str
    redis: str
    principal_private_key: str
    master_keys: list[MasterKey]
    postgres: dict[str, DatabaseRoles]
    derivation_key: str = ""
    """What keyed hashes come of, once the master keys rotate: the first of them. Empty until then."""

    @property
    def keyring(self) -> str:
        """The master keys as services are told them."""
        return ",".join(f"{key.id}:{key.key}" for key in self.master_keys)

    @property
    def principal_public_key(self) -> str:
        """The public half of the key that signs principals: raw Ed25519, base64."""
        seed = base64.b64decode(self.principal_private_key)
        return _encode(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


class SecretsLostError(RuntimeError):
    """Servers hold data under secrets that are no longer there."""


def load(folder: Path, services: Sequence[str]) -> Secrets:
    """Reads the folder's secrets; makes them, or those of services that came later, the first time."""
    path = folder / "secrets.toml"
    with _locked(folder):
        kept = msgspec.convert(tomllib.loads(path.read_text()), Secrets) if path.exists() else None
        if kept is not None and all(service in kept.postgres for service in services):
            return kept
        if kept is None and (folder / "postgres").exists():
            raise SecretsLostError(
                f"{path} is missing, and the servers' data in {folder} can't be opened without it. "
                f"Bring the file back, or remove the folder to begin anew."
            )
        full = _completed(kept, services)
        _write(path, full)
        return full


def change_master_keys(folder: Path, change: Callable[[list[MasterKey]], list[MasterKey]]) -> list[MasterKey]:
    """Keep what `change` makes of the master keys; what was derived of the first of them stays as it is."""
    path = folder / "secrets.toml"
    with _locked(folder):
        kept = msgspec.convert(tomllib.loads(path.read_text()), Secrets)
        derivation_key = kept.derivation_key or kept.master_keys[-1].key
        keys = change(kept.master_keys)
        _write(path, msgspec.structs.replace(kept, master_keys=keys, derivation_key=derivation_key))
    return keys


def _completed(kept: Secrets | None, services: Sequence[str]) -> Secrets:
    fresh = kept or Secrets(
        postgres_admin=_password(),
        rabbitmq=_password(),
        redis=_password(),
        principal_private_key=_encode(random.token_bytes(32)),
        master_keys=[MasterKey("k1", _encode(random.token_bytes(32)))],
        postgres={},
    )
    missing = {
        name: DatabaseRoles(_password(), _password()) for name in services if name not in fresh.postgres
    }
    return msgspec.structs.replace(fresh, postgres=fresh.postgres | missing)


def _write(path: Path, secrets: Secrets) -> None:
    """By a draft and a rename, so that a crash leaves the old file or the new one."""
    lines = [f'{name} = "{getattr(secrets, name)}"' for name in ("postgres_admin", "rabbitmq", "redis")]
    lines.append(f'principal_private_key = "{secrets.principal_private_key}"')
    if secrets.derivation_key:
        lines.append(f'derivation_key = "{secrets.derivation_key}"')
    for key in secrets.master_keys:
        lines += ["", "[[master_keys]]"]
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


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()

"""PostgreSQL: a cluster of the project's own, reached over TCP with SCRAM passwords only."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import asyncpg

from flotilla.instance import Instance
from flotilla.native import apt
from flotilla.native.node import PLAIN_ENVIRONMENT, START_SECONDS, STOP_SECONDS, Node
from flotilla.processes import ProcessDiedError

PROGRAMS: Final = Path("/usr/lib/postgresql/15/bin")
_ELSEWHERE: Final = Path("/var/lib/flotilla")
_ORPHANS: Final = "pre-existing shared memory block is still in use"
_ORPHANS_LEAVE_SECONDS: Final = 1.0
_ORPHANS_TRIES: Final = 20


class Postgres(Node):
    """The instance's PostgreSQL 15."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance, "postgres", instance.ports.postgres)
        # PostgreSQL refuses to run as root: there it runs as the user its package made.
        self._user = "postgres" if os.geteuid() == 0 else None

    async def install(self) -> None:
        await apt.ensure(PROGRAMS / "postgres", "postgresql-15")

    async def start(self) -> None:
        if not self._processes.alive(self.name):
            self._claim(self._port)
            data = self._home() / "data"
            if not data.exists():
                await asyncio.to_thread(self._make_cluster, data)
            self._configure(data)
            _drop_stale_lock(data)
        await self._start_after_orphans()

    async def reload(self) -> None:
        """At SIGHUP it reads its configuration and certificate; sessions go on."""
        if self._processes.alive(self.name):
            self._configure(self._home() / "data")
            self._processes.tell(self.name, signal.SIGHUP)

    def _configure(self, data: Path) -> None:
        certificate = self._certificate() if self._instance.tls else {}
        if certificate:
            # The key must be its own user's, who cannot reach ours.
            for kind in ("cert_file", "key_file"):
                copy = data / f"flotilla.{kind}"
                draft = data / f"flotilla.{kind}.draft"
                draft.unlink(missing_ok=True)
                draft.touch(0o600)
                draft.write_bytes(Path(certificate[kind]).read_bytes())
                self._own(draft)
                draft.replace(copy)
        self._own(self._render("pg_hba.conf", data / "flotilla_hba.conf"))
        self._own(self._render("postgresql.conf", data / "flotilla.conf", port=self._port))

    async def stop(self) -> bool:
        """SIGINT is the fast shutdown: sessions are rolled back and a checkpoint is written."""
        return await self._processes.stop(self.name, STOP_SECONDS, signal.SIGINT)

    async def _start_after_orphans(self) -> None:
        """After a `kill -9` the last sessions take a moment to notice and leave their shared memory."""
        for tries_left in reversed(range(_ORPHANS_TRIES)):
            data = self._home() / "data"
            self._processes.start(
                self.name, [PROGRAMS / "postgres", "-D", data], PLAIN_ENVIRONMENT, user=self._user, cwd=data
            )
            try:
                await self._processes.wait_ready(self.name, self._answers, START_SECONDS)
            except ProcessDiedError as died:
                if not tries_left or _ORPHANS not in died.tail:
                    raise
                await asyncio.sleep(_ORPHANS_LEAVE_SECONDS)
            else:
                return

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self._instance.admin_dsn("postgres"), timeout=5)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        await connection.close()
        return True

    def _make_cluster(self, data: Path) -> None:
        """initdb into a draft that becomes the cluster by a rename: a crash half-way leaves no broken one."""
        draft = data.with_name("data.draft")
        shutil.rmtree(draft, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=data.parent) as password:
            password.write(self._instance.secrets.postgres_admin)
            password.flush()
            self._own(Path(password.name))
            made = subprocess.run(  # noqa: S603 - a fixed command
                [
                    *(PROGRAMS / "initdb", "-D", draft, "-U", "flotilla_admin", f"--pwfile={password.name}"),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"),
                ],
                env=PLAIN_ENVIRONMENT,
                cwd=data.parent,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                capture_output=True,
                text=True,
                check=False,
            )
        if made.returncode != 0:
            raise ProcessDiedError("initdb", made.stdout + made.stderr)
        with (draft / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude = 'flotilla.conf'\n")
        draft.rename(data)

    def _home(self) -> Path:
        """The cluster's parent folder.

        Where its user can't enter the checkout (a clone under /root, say) that is a folder under /var/lib,
        and a link here leads to it.
        """
        if not self._folder.exists():
            self._instance.folder.mkdir(parents=True, exist_ok=True)
            if self._user is None or _open_to_all(self._instance.folder):
                self._folder.mkdir()
            else:
                _ELSEWHERE.mkdir(exist_ok=True)
                elsewhere = Path(tempfile.mkdtemp(prefix=f"{self._instance.name}-", dir=_ELSEWHERE))
                self._folder.symlink_to(elsewhere)
            self._own(self._folder)
        return self._folder.resolve()

    def _own(self, path: Path) -> None:
        if self._user is not None:
            shutil.chown(path, self._user, self._user)


def _open_to_all(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


def _drop_stale_lock(data: Path) -> None:
    """A lock file left by a crash names a process that may by now be any program of the same user."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().split()[0])
        at_work = Path(f"/proc/{pid}/cwd").readlink() == data
    except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
        at_work = False
    if not at_work:
        lock.unlink(missing_ok=True)

"""A named instance of the fleet on this machine: its ports, its secrets, and what each service is told.

`deploy/instances/<name>.toml` says where everything listens; `.flotilla/<name>/` (ignored by git) holds what
the instance made: secrets, server data, logs and the records of its processes.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, Self

import msgspec

from flotilla import secrets as secret_store
from flotilla.secrets import Secrets
from flotilla.service import FLEET

HOST: Final = "127.0.0.1"
TLS_MARK: Final = "tls/on"
"""A file in an instance's folder: it runs with TLS."""


class ServerPorts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the servers listen."""

    postgres: int
    rabbitmq: int
    rabbitmq_distribution: int
    epmd: int
    rabbitmq_management: int
    redis: int
    documents: int
    elasticsearch: int
    elasticsearch_transport: int


class InstanceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What deploy/instances/<name>.toml says."""

    environment: Literal["development", "staging", "production"]
    region: str
    log_level: str
    database: str
    vhost: str
    redis_index: int
    documents_prefix: str
    elasticsearch: bool
    servers: ServerPorts
    services: dict[str, int]
    simulators: dict[str, int] = {}
    """Vendors that are simulated on this machine, and where: for demos, never in production."""
    give_way: bool = True
    """Whether services that nobody waits for leave a full machine's processors to the others."""


class UnknownInstanceError(LookupError):
    """No file describes an instance of that name."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One fleet: a set of servers, and the database, vhost, Redis index and prefix it uses on them."""

    name: str
    root: Path
    file: InstanceFile
    secrets: Secrets
    database: str
    vhost: str
    redis_index: int
    documents_prefix: str
    service_ports: Mapping[str, int]
    fleet_folder: Path
    traces_file: Path | None = None
    overrides: Mapping[str, str] | None = None
    tls: bool = False
    """Whether servers and services speak TLS only."""

    @classmethod
    def load(cls, name: str, root: Path | None = None) -> Self:
        """Reads the instance's file and its secrets, which are made the first time."""
        root = root or project_root()
        path = root / "deploy" / "instances" / f"{name}.toml"
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in path.parent.glob("*.toml")))
            raise UnknownInstanceError(f"there is no {path}; the instances here are: {known}")
        file = msgspec.convert(tomllib.loads(path.read_text()), InstanceFile)
        folder = root / ".flotilla" / name
        return cls(
            name=name,
            root=root,
            file=file,
            secrets=secret_store.load(folder, FLEET),
            database=file.database,
            vhost=file.vhost,
            redis_index=file.redis_index,
            documents_prefix=file.documents_prefix,
            service_ports=file.services,
            fleet_folder=folder,
            tls=(folder / TLS_MARK).is_file(),
        )

    def with_isolation(
        self,
        *,
        database: str | None = None,
        vhost: str | None = None,
        redis_index: int | None = None,
        documents_prefix: str | None = None,
        service_ports: Mapping[str, int] | None = None,
        traces_file: Path | None = None,
        overrides: Mapping[str, str] | None = None,
    ) -> Self:
        """Another fleet on the same servers, with files, logs and process records of its own.

        `overrides` are added to every service's environment (a simulator's address, a shorter time limit).
        """
        separate = database or self.database
        return replace(
            self,
            database=separate,
            vhost=vhost or self.vhost,
            redis_index=self.redis_index if redis_index is None else redis_index,
            documents_prefix=documents_prefix or self.documents_prefix,
            service_ports={**self.service_ports, **(service_ports or {})},
            fleet_folder=self.folder / "fleets" / separate if database else self.fleet_folder,
            traces_file=traces_file or self.traces_file,
            overrides={**(self.overrides or {}), **(overrides or {})},
        )

    @property
    def folder(self) -> Path:
        """What belongs to the instance's servers: data, logs, records, secrets."""
        return self.root / ".flotilla" / self.name

    @property
    def ca_file(self) -> Path:
        """Whom everybody believes, where the instance runs with TLS; certificates and keys lie beside it."""
        return self.folder / TLS_MARK.partition("/")[0] / "ca.pem"

    @property
    def tools(self) -> Path:
        """Programs installed for the project; shared by all instances."""
        return self.root / ".flotilla" / "tools"

    @property
    def ports(self) -> ServerPorts:
        return self.file.servers

    @property
    def services(self) -> tuple[str, ...]:
        """The services that exist: those with a folder under services/."""
        return tuple(name for name in FLEET if (self.root / "services" / name / "pyproject.toml").is_file())

    @property
    def elasticsearch_build(self) -> Path:
        """The folder of the built search node; it exists once the node has been built."""
        return self.tools / "elasticsearch"

    def admin_dsn(self, database: str | None = None) -> str:
        """The superuser's address of a database; for migrations and tests, never for a service."""
        return self._dsn("flotilla_admin", self.secrets.postgres_admin, database or self.database)

    def owner_dsn(self, service: str, database: str | None = None) -> str:
        """The role that owns the service's schema and migrates it."""
        return self._dsn(owner_role(service), self.secrets.postgres[service].owner, database or self.database)

    def runtime_dsn(self, service: str, database: str | None = None) -> str:
        """The role the service runs as: it owns nothing."""
        return self._dsn(
            runtime_role(service), self.secrets.postgres[service].runtime, database or self.database
        )

    @property
    def amqp_url(self) -> str:
        vhost = "%2F" if self.vhost == "/" else self.vhost
        address = f"://flotilla:{self.secrets.rabbitmq}@{HOST}:{self.ports.rabbitmq}/{vhost}"
        return f"amqps{address}?cafile={self.ca_file}" if self.tls else f"amqp{address}"

    @property
    def rabbitmq_management_url(self) -> str:
        """The broker's HTTP interface; sign in as `flotilla` with `secrets.rabbitmq`."""
        return f"{self._http}://{HOST}:{self.ports.rabbitmq_management}"

    @property
    def _broker_admin_url(self) -> str:
        """The broker's HTTP interface, with who may make users: for partners' queues."""
        place = f"{HOST}:{self.ports.rabbitmq_management}"
        return f"{self._http}://flotilla:{self.secrets.rabbitmq}@{place}"

    @property
    def redis_url(self) -> str:
        address = f"://:{self.secrets.redis}@{HOST}:{self.ports.redis}/{self.redis_index}"
        if not self.tls:
            return f"redis{address}"
        return f"rediss{address}?ssl_cert_reqs=required&ssl_check_hostname=true&ssl_ca_certs={self.ca_file}"

    @property
    def documents_url(self) -> str:
        address = f"mongodb://{HOST}:{self.ports.documents}/?directConnection=true"
        return f"{address}&tls=true&tlsCAFile={self.ca_file}" if self.tls else address

    @property
    def elasticsearch_url(self) -> str:
        """Empty where search runs on Postgres: not enabled, not built here, or with TLS, which this node has not."""
        if self.tls or not self.file.elasticsearch or not (self.elasticsearch_build / "built").is_file():
            return ""
        return f"http://{HOST}:{self.ports.elasticsearch}"

    @property
    def files_url(self) -> str:
        return (self.fleet_folder / "files").as_uri()

    @property
    def public_url(self) -> str:
        """Where people and programs reach the fleet: the gateway."""
        return self.service_url("gateway")

    def service_url(self, service: str) -> str:
        return f"{self._http}://{HOST}:{self.service_ports[service]}"

    def environment(self, service: str) -> dict[str, str]:
        """The settings of one service's process: its own database password, and no other service's."""
        secrets = self.secrets
        settings = {
            "INSTANCE": self.name,
            "SERVICE": service,
            "ENVIRONMENT": self.file.environment,
            "REGION": self.file.region,
            "POSTGRES_DSN": self.runtime_dsn(service),
            "AMQP_URL": self.amqp_url,
            "REDIS_URL": self.redis_url,
            "DOCUMENTS_URL": self.documents_url,
            "DOCUMENTS_PREFIX": self.documents_prefix,
            "ELASTICSEARCH_URL": self.elasticsearch_url if service == "analytics" else "",
            "FILES_URL": self.files_url,
            "HTTP_HOST": HOST,
            "HTTP_PORT": str(self.service_ports[service]),
            "MASTER_KEYS": secrets.keyring,
            "DERIVATION_KEYS": secrets.derivation_keyring,
            "PRINCIPAL_PUBLIC_KEYS": secrets.principal_public_keys,
            "PUBLIC_URL": self.public_url,
            "LOG_LEVEL": self.file.log_level,
            "GIVE_WAY": str(self.file.give_way).lower(),
        }
        if service == "gateway":
            behind = (name for name in self.services if name != "gateway")
            settings["PRINCIPAL_PRIVATE_KEY"] = secrets.principal_private_key
            settings["UPSTREAMS"] = ",".join(f"{name}={self.service_url(name)}" for name in behind)
        if service == "integrations":
            settings["PARTNERS_ADMIN_URL"] = self._broker_admin_url
        if self.tls:
            settings |= self._tls_settings(service)
        if self.traces_file is not None:
            settings |= {"TRACES_FILE": str(self.traces_file), "TRACE_RATIO": "1"}
        return {f"FLOTILLA_{name}": value for name, value in settings.items()} | dict(self.overrides or {})

    def _dsn(self, user: str, password: str, database: str) -> str:
        address = f"postgresql://{user}:{password}@{HOST}:{self.ports.postgres}/{database}"
        return f"{address}?sslmode=verify-full&sslrootcert={self.ca_file}" if self.tls else address

    @property
    def _http(self) -> str:
        return "https" if self.tls else "http"

    def _tls_settings(self, service: str) -> dict[str, str]:
        folder = self.ca_file.parent
        return {
            "TLS": "on",
            "TLS_CA_FILE": str(self.ca_file),
            "TLS_CERT_FILE": str(folder / f"{service}.pem"),
            "TLS_KEY_FILE": str(folder / f"{service}.key"),
        }


def owner_role(service: str) -> str:
    return f"flotilla_{service}_owner"


def runtime_role(service: str) -> str:
    return f"flotilla_{service}"


def project_root() -> Path:
    """The checkout this package belongs to; FLOTILLA_ROOT names it where the package lies elsewhere."""
    if named := os.environ.get("FLOTILLA_ROOT"):
        return Path(named)
    return Path(__file__).resolve().parents[3]

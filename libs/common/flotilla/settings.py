"""Settings of one service process: `FLOTILLA_*` variables, nothing else.

`flotilla.instance` makes them for a named instance; a container platform sets them itself. A service with
settings of its own subclasses `Settings`.
"""

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from flotilla.security.tls import require_encrypted


class Settings(BaseSettings):
    """What every service is told. Secrets are `SecretStr`: they never show in a log or a traceback."""

    model_config = SettingsConfigDict(env_prefix="FLOTILLA_", extra="ignore", frozen=True)

    instance: str = "dev"
    service: str
    environment: str = "production"
    """`development`, `staging` or `production`; nothing said is the strictest."""
    region: str = "eu"
    """The cell that this process is part of; it handles no other's events, and opens no other's database."""
    cells: str = ""
    """Where the gateways of other regions are: `us=https://us.example.com,ca=https://…`; empty: there are none."""
    public_url: str = "http://127.0.0.1:8080"
    """Where people and vendors reach the gateway."""

    http_host: str = "127.0.0.1"
    http_port: int
    grace_seconds: float = 20.0
    """How long a stopping process may finish what it has in hand."""
    give_way: bool = True
    """Whether a service that nobody waits for (`Service.niceness`) leaves a full machine's processors to the others."""

    postgres_dsn: SecretStr
    postgres_connections: int = Field(default=4, ge=1, le=4)
    amqp_url: SecretStr
    redis_url: SecretStr
    documents_url: SecretStr
    documents_prefix: str = "flotilla"
    """Databases of the document store are named `<prefix>_<service>`."""
    elasticsearch_url: str = ""
    """Empty: search runs on Postgres."""
    files_url: str

    tls: Literal["off", "on"] = "off"
    """`on`: this process listens with TLS only, and does not start with an address in `HOPS` that is plain, or whose
    certificate would not be checked."""
    tls_ca_file: Path | None = None
    """The authorities whose certificates are believed (PEM)."""
    tls_cert_file: Path | None = None
    """Our certificate with what is between it and the authority (PEM): shown to callers and to whom we call."""
    tls_key_file: Path | None = None
    """Its key."""
    tls_client_certificates: bool = True
    """Only callers with a certificate of `tls_ca_file` are served; off where a platform's probes have none."""

    HOPS: ClassVar[tuple[str, ...]] = (
        *("postgres_dsn", "amqp_url", "redis_url", "documents_url", "elasticsearch_url", "files_url"),
        *("upstreams", "public_url"),
    )
    """Settings that are addresses of our own servers and services."""

    master_keys: SecretStr
    """`id:base64,…`: the first seals, all open."""
    derivation_keys: SecretStr = SecretStr("")
    """`id:base64,…` of 32 bytes each: what keyed hashes and signed links come of; new ones of the first, all are known.
    Empty: the last master key, as `d1`."""
    principal_public_keys: str
    """Base64 raw Ed25519 keys, comma-separated, whose principals are believed."""
    principal_private_key: SecretStr | None = None
    upstreams: str = ""
    """The gateway's: `auth=http://…,crm=http://…`, several addresses of one service with `|` between them."""

    replay_settle_seconds: float = 30.0
    """How long a projection that is built anew waits for events that its old rows know and the archive does not yet."""

    erasure_settle_seconds: float = 5.0
    """How long after a service remembered whom to forget it begins: transactions that did not know have ended then,
    and every process has heard."""

    log_level: str = "INFO"
    traces_file: str = ""
    """Spans are appended here as JSON lines; empty: none are kept."""
    trace_ratio: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of requests traced, decided once, at the head."""

    @model_validator(mode="after")
    def _encrypted_everywhere(self) -> Self:
        if self.tls == "on":
            values = {f"FLOTILLA_{name.upper()}": getattr(self, name) for name in self.HOPS}
            require_encrypted(
                {
                    name: value.get_secret_value() if isinstance(value, SecretStr) else value
                    for name, value in values.items()
                }
            )
        return self

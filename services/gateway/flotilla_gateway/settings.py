"""Settings of the gateway beside those of every service."""

from pathlib import Path

from flotilla.settings import Settings
from pydantic import Field


class GatewaySettings(Settings):
    """`FLOTILLA_*`, as in every service."""

    openapi_file: Path | None = None
    """The merged OpenAPI document; by default contracts/openapi.json (or .yaml) of the checkout."""
    trusted_proxies: str = ""
    """Networks of load balancers whose X-Forwarded-For and -Proto are believed; comma-separated CIDR."""
    cors_origins: str = ""
    """Origins whose pages may call the API from a browser; comma-separated; none by default."""
    honour_traceparent: bool = False
    """Whether a caller's trace is continued; only where callers are one's own."""

    tls_client_certificates: bool = False
    """People and programs sign in by other means."""

    body_bytes: int = Field(default=1024 * 1024, ge=1024)
    head_bytes: int = Field(default=32 * 1024, ge=1024)
    head_seconds: float = Field(default=10.0, gt=0)
    body_seconds: float = Field(default=60.0, gt=0)
    stall_seconds: float = Field(default=60.0, gt=0)

    upstream_connections: int = Field(default=256, ge=1)
    upstream_connect_seconds: float = Field(default=2.0, gt=0)
    upstream_answer_seconds: float = Field(default=30.0, gt=0)
    upstream_silence_seconds: float = Field(default=75.0, gt=0)
    upstream_idle_seconds: float = Field(default=30.0, gt=0)
    """Shorter than services keep a connection (75 s), so that few requests meet a stale one."""

    limit_session: str = "1200/60"
    """Requests and seconds: a person's, over all their sessions."""
    limit_api: str = "100/3600"
    """All programs of an organization together, until billing has said what its plan allows."""
    limit_sign_in: str = "20/60"
    """An address's sign-ins, sign-ups, refreshes and resets."""
    limit_hook: str = "60000/60"
    """One channel account's webhooks: generous, and never tied to a plan."""
    limit_open: str = "120/60"
    """An address's requests to routes open to everybody, and its rejected tokens."""
    limiter_seconds: float = Field(default=0.25, gt=0)
    """How long Redis may take to decide."""

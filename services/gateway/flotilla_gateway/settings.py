"""Settings of the gateway beside those of every service."""

from pathlib import Path

from flotilla.settings import Settings
from pydantic import Field


class GatewaySettings(Settings):
    """`FLOTILLA_*`, as in every service."""

    openapi_file: Path | None = None
    """The merged OpenAPI document; by default contracts/openapi.json (or .yaml) of the checkout."""
    console_dir: Path | None = None
    """The console's built files; by default web/dist of the checkout, where it is built. They are read at the start;
    a folder without index.html is no console."""
    trusted_proxies: str = ""
    """Networks of load balancers whose X-Forwarded-For and -Proto are believed; comma-separated CIDR."""
    exempt_networks: str = "127.0.0.0/8,::1/128"
    """Networks that are never blocked or screened; comma-separated CIDR. By default this machine alone: in a private
    network stands perhaps a load balancer that nobody listed, and behind it everybody."""
    operator_networks: str = "127.0.0.0/8,::1/128"
    """Networks that see /metrics and /readyz; comma-separated CIDR. In a cluster, that of its nodes (which ask whether
    a process is ready) and of its Prometheus."""
    cors_origins: str = ""
    """Origins whose pages may call the API from a browser, with cookies too; comma-separated; none by default."""
    honour_traceparent: bool = False
    """Whether a caller's trace is continued; only where callers are one's own."""

    tls_client_certificates: bool = False
    """People and programs sign in by other means."""

    express: bool = True
    """Whether plain requests are forwarded by callbacks, which cost less; off: all go the long way, as ASGI has it."""

    body_bytes: int = Field(default=1024 * 1024, ge=1024)
    head_bytes: int = Field(default=32 * 1024, ge=1024)
    head_seconds: float = Field(default=10.0, gt=0)
    body_seconds: float = Field(default=60.0, gt=0)
    caller_connections: int = Field(default=1000, ge=1)
    """How many connections one address may have open at once in one process: an office behind one address needs fewer.
    Listed load balancers have no such limit."""
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
    limit_dear: str = "120/60"
    """Of a person's budget, or of all programs of an organization, what searches, exports, replays and
    pictures that are sent may take."""
    limit_sign_in: str = "20/60"
    """An address's sign-ins, sign-ups, refreshes and resets."""
    limit_hook: str = "60000/60"
    """One channel account's webhooks: generous, and never tied to a plan."""
    limit_hook_rejected: str = "600/60"
    """What services reject of an address's webhooks, or of the links it opens; then it is refused at paths where
    nothing of it was taken."""
    limit_open: str = "120/60"
    """An address's requests to routes open to everybody, and its rejected tokens."""
    screen: bool = True
    """Whether anonymous callers that look like machines show some work before they sign in or up."""
    screen_work: int = Field(default=50_000, ge=1000)
    """How many numbers such a caller has to try, at most; on average half of them."""
    screen_route_requests: int = Field(default=300, ge=1)
    """So many requests a minute to one such route, in one process, are nothing unusual; beyond, all callers show it."""
    block_points: int = Field(default=300, ge=1)
    """What makes an address blocked within a minute: a failed authentication is 3 points, a malformed request 5, an
    unknown path 2, a refused or missing thing and a limit's refusal 1."""
    block_seconds: int = Field(default=60, ge=1)
    """The first block; each further one within a week is four times longer."""
    block_longest_seconds: int = Field(default=86_400, ge=1)

    limiter_seconds: float = Field(default=0.25, gt=0)
    """How long Redis may take to decide."""

"""Debian's nginx twice: as the upstream that answers at once, and as the proxy that everything is compared with.

One worker each. The proxy keeps its connections to the upstream, streams bodies as the gateway does, and writes a line
a request into a buffered log.
"""

from pathlib import Path
from string import Template
from typing import Final

from flotilla.native import apt

PROGRAM: Final = Path("/usr/sbin/nginx")
SMALL: Final = (
    '{"contact_id":"0199d4e2-7a52-7c11-9d8e-3f1f5a2b9c10","name":"Ada Lovelace","tags":["vip"],"sequence":7}'
)
LARGE_BYTES: Final = 64 * 1024
LARGE_PATH: Final = "/v1/open/large"

_COMMON: Final = """
daemon off;
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/error.log warn;
events { worker_connections 4096; }
http {
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_max_body_size 8m;
    client_body_buffer_size 256k;
    client_body_temp_path $folder/client;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    tcp_nodelay on;
    $rest
}
"""
_UPSTREAM: Final = """
    access_log off;
    server {
        listen 127.0.0.1:$port;
        location = $large_path { alias $folder/large.json; }
        location / { return 200 '$small'; }
    }
"""
_PROXY: Final = """
    access_log $folder/access.log combined buffer=64k flush=1s;
    upstream service {
        server 127.0.0.1:$upstream;
        keepalive 128;
        keepalive_requests 1000000000;
    }
    server {
        listen 127.0.0.1:$port;
        location / {
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_buffers 16 16k;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $$remote_addr;
            proxy_set_header X-Forwarded-Proto $$scheme;
            proxy_set_header X-Forwarded-Host $$host;
            proxy_set_header X-Request-Id $$request_id;
        }
    }
"""


async def install() -> None:
    """From Debian, where it is missing; only the benchmark wants it."""
    await apt.ensure(PROGRAM, "nginx-light")


def upstream(folder: Path, port: int) -> list[str]:
    """The command of a service that answers a small JSON everywhere, and 64 KiB at `LARGE_PATH`."""
    folder.mkdir(parents=True)
    (folder / "large.json").write_bytes(b'"' + b"x" * (LARGE_BYTES - 2) + b'"')
    return _command(folder, _UPSTREAM, port=port, small=SMALL, large_path=LARGE_PATH)


def proxy(folder: Path, port: int, upstream: int) -> list[str]:
    """The command of a proxy before the upstream on that port."""
    folder.mkdir(parents=True)
    return _command(folder, _PROXY, port=port, upstream=upstream)


def _command(folder: Path, rest: str, **values: object) -> list[str]:
    inner = Template(rest).substitute(folder=folder, **values)
    file = folder / "nginx.conf"
    file.write_text(Template(_COMMON).substitute(folder=folder, rest=inner))
    folder.chmod(0o755)
    return [str(PROGRAM), "-p", str(folder), "-c", str(file)]

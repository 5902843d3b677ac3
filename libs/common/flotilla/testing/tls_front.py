"""TLS before a server that has none of its own: nginx, with a certificate of a test's own authority."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from string import Template
from typing import Final

import pytest

from flotilla.instance import HOST
from flotilla.native.authority import Authority
from flotilla.native.node import listens
from flotilla.testing.eventually import eventually
from flotilla.testing.ports import free_port

PROGRAM: Final = Path("/usr/sbin/nginx")
_NAME: Final = "front"
_CONFIGURATION: Final = """
daemon off;
$user
worker_processes 1;
pid $folder/nginx.pid;
error_log stderr warn;
events { worker_connections 64; }
http {
    access_log off;
    client_max_body_size 100m;
    client_body_temp_path $folder/client;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    server {
        listen $host:$port ssl;
        ssl_certificate $certificate;
        ssl_certificate_key $key;
        ssl_protocols TLSv1.2 TLSv1.3;
        location / { proxy_pass $behind; }
    }
}
"""


@asynccontextmanager
async def encrypted(behind: str, authority: Authority, folder: Path) -> AsyncIterator[str]:
    """Its `https://` address, with a certificate of `authority`; skips the test where there is no nginx."""
    if not PROGRAM.is_file():
        pytest.skip("nginx is not installed here")
    authority.issue([_NAME])
    port = free_port()
    folder.mkdir(parents=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        Template(_CONFIGURATION).substitute(
            folder=folder,
            user="user root;" if os.geteuid() == 0 else "",  # whoever runs the test: the key is theirs
            host=HOST,
            port=port,
            certificate=authority.cert_file(_NAME),
            key=authority.key_file(_NAME),
            behind=behind,
        )
    )
    command = (PROGRAM, "-e", "stderr", "-p", folder, "-c", configuration)
    process = await asyncio.create_subprocess_exec(*map(str, command))
    try:
        await eventually(lambda: listens(port), seconds=60, what="nginx to listen")
        yield f"https://{HOST}:{port}"
    finally:
        process.terminate()
        await process.wait()

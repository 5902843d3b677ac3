"""The console's and the widget's files: what is served, how it may be kept, and that nothing else is."""

import gzip
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.gateway.tests.raw import Answer, ask
from services.gateway.tests.world import World, world

SCRIPT = b"export const fleet = 'flotilla';\n" * 100
PAGE = b"<!doctype html><title>Flotilla</title><script type=module src=/assets/index-BxY12_bc.js></script>"
FILES = {
    "index.html": PAGE,
    "favicon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "apple-touch-icon.png": b"\x89PNG" + bytes(4096),
    "assets/index-BxY12_bc.js": SCRIPT,
    "assets/index-BxY12_bc.js.br": b"made by the build",
    "assets/style-0a1B2c3D.css": b"body { color: #123 }\n" * 100,
    "assets/inter-Zz99-aaB.woff2": bytes(5000),
    "widget.js": SCRIPT,
    "widget/frame.html": PAGE,
    ".vite/manifest.json": b"{}",
    "secret/.env": b"KEY=1",
}


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[World]:
    """A gateway with a console."""
    folder = tmp_path / "dist"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (tmp_path / "outside.txt").write_bytes(b"not for you")
    os.symlink(tmp_path / "outside.txt", folder / "outside.txt")
    os.symlink(tmp_path, folder / "around")
    async with world(tmp_path, console_dir=folder, trusted_proxies="127.0.0.0/8") as running:
        yield running


async def get(edge: World, path: str, *headers: str, method: str = "GET") -> Answer:
    """One file."""
    return await ask(edge.port, method, path, *headers)


async def test_the_first_page_answers_the_consoles_own_paths(console: World) -> None:
    for path in ("/", "/index.html", "/contacts/0199d4e2", "/sign-in/callback?code=x", "/settings/"):
        page = await get(console, path)
        assert (page.status, page.body) == (200, PAGE), path
        assert page.header("content-type") == "text/html; charset=utf-8"
        assert page.header("cache-control") == "no-cache"
    navigated = await get(console, "/people/ada@example.org", "accept: text/html,*/*;q=0.8")
    assert navigated.body == PAGE, "a dot in what a person opens makes it no file"


async def test_files_with_a_hash_in_their_name_are_kept_for_good(console: World) -> None:
    for path, kind in (
        ("/assets/index-BxY12_bc.js", "text/javascript; charset=utf-8"),
        ("/assets/style-0a1B2c3D.css", "text/css; charset=utf-8"),
        ("/assets/inter-Zz99-aaB.woff2", "font/woff2"),
    ):
        file = await get(console, path)
        assert (file.status, file.header("content-type")) == (200, kind)
        assert file.header("cache-control") == "public, max-age=31536000, immutable"
    for path in ("/favicon.svg", "/apple-touch-icon.png", "/widget.js"):
        assert (await get(console, path)).header("cache-control") == "no-cache", path


async def test_what_did_not_change_is_not_sent_again(console: World) -> None:
    for path in ("/", "/assets/index-BxY12_bc.js", "/widget.js"):
        for accepted in ("accept-encoding: identity", "accept-encoding: gzip"):
            first = await get(console, path, accepted)
            tag = first.header("etag")
            for known in (f"{tag}", f'"other", W/{tag}', "*"):
                again = await get(console, path, accepted, f"if-none-match: {known}")
                assert (again.status, again.body, again.header("etag")) == (304, b"", tag)
                assert again.header("cache-control") == first.header("cache-control")
            other = await get(console, path, accepted, 'if-none-match: "other"')
            assert (other.status, other.body) == (200, first.body)


async def test_the_best_encoding_that_is_accepted(console: World) -> None:
    path = "/assets/index-BxY12_bc.js"
    tags = set()
    for accepted, coding in (
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("br;q=0.0, gzip;q=0", None),
        ("identity", None),
    ):
        file = await get(console, path, f"accept-encoding: {accepted}")
        assert file.header("content-encoding") == coding, accepted
        assert file.header("vary") == "accept-encoding"
        tags.add(file.header("etag"))
        plain = {"br": b"made by the build", "gzip": SCRIPT, None: SCRIPT}[coding]
        assert (gzip.decompress(file.body) if coding == "gzip" else file.body) == plain
    assert len(tags) == 3, "each form has a tag of its own"
    image = await get(console, "/apple-touch-icon.png", "accept-encoding: gzip, br")
    assert image.header("content-encoding") is None, "it is compressed as it is"


async def test_head_says_what_get_would(console: World) -> None:
    for path in ("/", "/assets/index-BxY12_bc.js", "/contacts"):
        full, head = await get(console, path), await get(console, path, method="HEAD")
        assert (head.status, head.body) == (200, b"")
        for name in ("content-length", "content-type", "etag", "cache-control"):
            assert head.header(name) == full.header(name) is not None


@pytest.mark.parametrize(
    "path",
    [
        "/../outside.txt",
        "/assets/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/assets/..%5c..%5coutside.txt",
        "/outside.txt",
        "/around/outside.txt",
        "/.vite/manifest.json",
        "/secret/.env",
        "/assets/index-gone1234.js",
        "/assets/index-BxY12_bc.js.br",
        "//etc/passwd",
    ],
)
async def test_nothing_else_is_served(console: World, path: str) -> None:
    refused = await get(console, path)
    assert refused.status in (400, 404)
    assert refused.header("content-type") == "application/problem+json"
    assert b"not for you" not in refused.body


async def test_the_api_and_the_gateways_own_pages_stay_what_they_are(console: World) -> None:
    for path in ("/v1/unknown", "/v2/things", "/v1"):
        answer = await get(console, path, "accept: text/html")
        assert answer.status == 404, path
    assert (await get(console, "/v1/open")).status == 200
    assert (await get(console, "/healthz")).body == b"here"
    assert (await get(console, "/metrics", "x-forwarded-for: 203.0.113.7")).status == 404
    assert (await get(console, "/contacts", method="POST")).status in (404, 405)


async def test_browsers_are_told_to_be_careful(console: World) -> None:
    page = await get(console, "/", "x-forwarded-proto: https")
    policy = page.header("content-security-policy") or ""
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert policy.endswith("frame-ancestors 'none'")
    assert "unsafe" not in policy
    assert page.header("strict-transport-security") is not None
    assert page.header("x-content-type-options") == "nosniff"
    assert page.header("access-control-allow-origin") is None
    assert page.header("x-request-id") is not None


async def test_any_site_may_load_the_widget(console: World) -> None:
    for path in ("/widget.js", "/widget/frame.html"):
        file = await get(console, path, "origin: https://shop.example")
        assert file.header("access-control-allow-origin") == "*"
        assert file.header("access-control-allow-credentials") is None
        assert file.header("cross-origin-resource-policy") == "cross-origin"
        assert (file.header("content-security-policy") or "").endswith("frame-ancestors *")


async def test_a_large_file_arrives_whole(tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "index.html").write_bytes(PAGE)
    large = os.urandom(1_000_003)
    (folder / "film.mp4").write_bytes(large)
    async with world(tmp_path, console_dir=folder) as edge:
        assert (await get(edge, "/film.mp4")).body == large

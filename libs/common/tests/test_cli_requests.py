"""What operators find of requests and blocked addresses from the command line."""

import json
from datetime import date
from pathlib import Path

import pytest
from flotilla.cli import app, screen
from flotilla.instance import Instance, project_root
from flotilla.security.addresses import Pseudonyms, bucket, network, parse
from flotilla.security.sealing import Keyring
from typer.testing import CliRunner, Result

KEYRING = Keyring("k:" + "A" * 43 + "=")


def flotilla(*arguments: str) -> Result:
    screen.console.width = screen.errors.width = 300
    return CliRunner().invoke(app, arguments)


def test_requests_are_found_by_what_is_logged_and_by_an_address_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "instances").symlink_to(project_root() / "deploy" / "instances")
    (tmp_path / "services" / "gateway").mkdir(parents=True)
    (tmp_path / "services" / "gateway" / "pyproject.toml").touch()
    monkeypatch.setenv("FLOTILLA_ROOT", str(tmp_path))
    secrets = Instance.load("dev").secrets
    keyring = Keyring(secrets.keyring, secrets.derivation_keyring)
    log = tmp_path / ".flotilla" / "dev" / "logs" / "gateway.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    for day, address, status, actor in (
        ("2026-03-01", "203.0.113.7", 200, "user:1"),
        ("2026-03-02", "203.0.113.7", 404, "user:2"),
        ("2026-03-02", "203.0.113.8", 401, "user:1"),
    ):
        parsed = parse(address)
        assert parsed is not None
        line = {
            "ts": f"{day}T10:00:00.000Z",
            "event": "request",
            "service": "gateway",
            "request_id": f"{day}-{address[-1]}",
            "route": "/v1/contacts/{contact_id}",
            "status": status,
            "actor": actor,
            "caller": Pseudonyms(keyring, date.fromisoformat(day)).of(bucket(parsed)),
            "network": network(parsed),
        }
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
    found = {
        ("--address", "203.0.113.7"): {"01-7", "02-7"},
        ("--address", "203.0.113.9"): set(),
        ("--status", "4xx"): {"02-7", "02-8"},
        ("--status", "404"): {"02-7"},
        ("--actor", "user:1"): {"01-7", "02-8"},
        ("--route", "/v1/contacts/{contact_id}", "--status", "200"): {"01-7"},
        ("--request", "2026-03-02-8"): {"02-8"},
    }
    for options, expected in found.items():
        shown = flotilla("logs", "gateway", *options).output
        assert {one for one in ("01-7", "02-7", "02-8") if f"2026-03-{one}" in shown} == expected, options
    assert flotilla("logs", "gateway", "--address", "nobody").exit_code == 1
    assert "203.0.113.7" not in log.read_text()


def test_addresses_are_counted_by_customer_and_shown_by_network() -> None:
    for address, counted, shown in (
        ("203.0.113.77", "203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("::1", "::1", "::/48"),
    ):
        parsed = parse(address)
        assert parsed is not None
        assert (bucket(parsed), network(parsed)) == (counted, shown)
    assert parse("nonsense") is None


def test_a_pseudonym_is_for_one_day_and_one_key() -> None:
    names = Pseudonyms(KEYRING, date(2026, 3, 1))
    assert names.of("203.0.113.7") == Pseudonyms(KEYRING, date(2026, 3, 1)).of("203.0.113.7")
    assert len(names.of("203.0.113.7")) == 16
    others = (
        Pseudonyms(KEYRING, date(2026, 3, 2)).of("203.0.113.7"),
        Pseudonyms(Keyring("k:" + "B" * 43 + "="), date(2026, 3, 1)).of("203.0.113.7"),
        names.of("203.0.113.8"),
    )
    assert names.of("203.0.113.7") not in others


def test_an_address_is_blocked_listed_and_let_go_by_hand() -> None:
    address, reason = "2001:db8:beef:7::1", "calls our people at night"
    shared = "2001:db8:beef:7::/64"
    try:
        assert (
            flotilla("blocks", "add", address, "--reason", reason, "--hours", "1", "-i", "test").exit_code
            == 0
        )
        listed = flotilla("blocks", "list", "-i", "test").output
        assert shared in listed
        assert reason in listed
    finally:
        assert flotilla("blocks", "remove", address, "-i", "test").exit_code == 0
    assert shared not in flotilla("blocks", "list", "-i", "test").output
    refused = flotilla("blocks", "remove", address, "-i", "test")
    assert refused.exit_code == 1
    assert "is not blocked" in refused.output
    assert flotilla("blocks", "add", "nonsense", "--reason", reason, "-i", "test").exit_code == 1
    assert flotilla("blocks", "add", address, "--reason", "<script>", "-i", "test").exit_code == 1

"""Instances: who is told what, and secrets that are made once."""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flotilla.instance import Instance, UnknownInstanceError, project_root
from flotilla.secrets import SecretsLostError
from flotilla.service import FLEET
from flotilla.settings import Settings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with the project's own instances and three services."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "instances").symlink_to(project_root() / "deploy" / "instances")
    for service in ("gateway", "auth", "analytics"):
        (tmp_path / "services" / service).mkdir(parents=True)
        (tmp_path / "services" / service / "pyproject.toml").touch()
    return tmp_path


def test_every_instance_gives_each_server_and_service_a_port_of_its_own(root: Path) -> None:
    taken: dict[int, str] = {}
    for file in sorted((project_root() / "deploy" / "instances").glob("*.toml")):
        instance = Instance.load(file.stem, root)
        servers = {name: getattr(instance.ports, name) for name in instance.ports.__struct_fields__}
        assert set(instance.service_ports) == set(FLEET)
        for name, port in (servers | dict(instance.service_ports)).items():
            assert port not in taken, f"{file.stem}.{name} and {taken[port]} share {port}"
            taken[port] = f"{file.stem}.{name}"


def test_secrets_are_made_once_and_only_their_owner_may_read_them(root: Path) -> None:
    first = Instance.load("dev", root).secrets
    path = root / ".flotilla" / "dev" / "secrets.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Instance.load("dev", root).secrets == first
    assert Instance.load("test", root).secrets != first
    passwords = [part for roles in first.postgres.values() for part in (roles.owner, roles.runtime)]
    assert len(set(passwords)) == 2 * len(FLEET)


def test_a_service_that_came_later_gets_passwords_and_the_others_keep_theirs(root: Path) -> None:
    first = Instance.load("dev", root).secrets
    path = root / ".flotilla" / "dev" / "secrets.toml"
    head, _, tail = path.read_text().partition("[postgres.crm]")
    path.write_text(head + "[postgres" + tail.partition("[postgres")[2])
    second = Instance.load("dev", root).secrets
    assert set(second.postgres) == set(FLEET)
    assert {name for name in FLEET if second.postgres[name] != first.postgres[name]} == {"crm"}


def test_lost_secrets_are_not_replaced_while_data_stands_under_them(root: Path) -> None:
    Instance.load("dev", root)
    (root / ".flotilla" / "dev" / "postgres").mkdir()
    (root / ".flotilla" / "dev" / "secrets.toml").unlink()
    with pytest.raises(SecretsLostError, match="remove the folder"):
        Instance.load("dev", root)


def test_a_service_is_told_its_own_database_password_and_no_other(root: Path) -> None:
    instance = Instance.load("dev", root)
    told = "\n".join(instance.environment("auth").values())
    assert instance.secrets.postgres["auth"].runtime in told
    for service, roles in instance.secrets.postgres.items():
        assert roles.owner not in told
        assert service == "auth" or roles.runtime not in told
    assert instance.secrets.postgres_admin not in told
    assert instance.secrets.principal_private_key not in told


def test_only_the_gateway_signs_principals_and_knows_the_others_addresses(root: Path) -> None:
    instance = Instance.load("dev", root)
    gateway = instance.environment("gateway")
    seed = base64.b64decode(gateway["FLOTILLA_PRINCIPAL_PRIVATE_KEY"])
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert base64.b64decode(gateway["FLOTILLA_PRINCIPAL_PUBLIC_KEYS"]) == public
    assert gateway["FLOTILLA_UPSTREAMS"] == "auth=http://127.0.0.1:8101,analytics=http://127.0.0.1:8111"
    for service in ("auth", "analytics"):
        told = instance.environment(service)
        assert "FLOTILLA_UPSTREAMS" not in told
        assert "FLOTILLA_PRINCIPAL_PRIVATE_KEY" not in told
        assert told["FLOTILLA_PRINCIPAL_PUBLIC_KEYS"] == gateway["FLOTILLA_PRINCIPAL_PUBLIC_KEYS"]


def test_the_settings_take_what_the_instance_says(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Instance.load("test", root).with_isolation(traces_file=root / "traces.jsonl")
    for name, value in instance.environment("gateway").items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    known = {f"FLOTILLA_{name.upper()}" for name in Settings.model_fields}
    assert set(instance.environment("gateway")) <= known
    assert settings.postgres_dsn.get_secret_value() == instance.runtime_dsn("gateway")
    assert settings.http_port == 9080
    assert settings.trace_ratio == 1.0


def test_only_analytics_searches_and_only_where_the_node_was_built(root: Path) -> None:
    instance = Instance.load("test", root)
    assert instance.environment("analytics")["FLOTILLA_ELASTICSEARCH_URL"] == ""
    instance.elasticsearch_build.mkdir(parents=True)
    (instance.elasticsearch_build / "built").touch()
    assert instance.environment("analytics")["FLOTILLA_ELASTICSEARCH_URL"] == "http://127.0.0.1:9201"
    assert instance.environment("auth")["FLOTILLA_ELASTICSEARCH_URL"] == ""


def test_an_isolated_fleet_shares_the_servers_and_nothing_else(root: Path) -> None:
    main = Instance.load("test", root)
    beside = main.with_isolation(
        database="e2e", vhost="e2e", redis_index=7, documents_prefix="e2e", service_ports={"auth": 9901}
    )
    assert beside.runtime_dsn("auth").endswith("@127.0.0.1:9432/e2e")
    assert beside.amqp_url.endswith("@127.0.0.1:9672/e2e")
    assert beside.redis_url.endswith(":9379/7")
    assert "auth=http://127.0.0.1:9901" in beside.environment("gateway")["FLOTILLA_UPSTREAMS"]
    assert beside.folder == main.folder
    assert beside.fleet_folder != main.fleet_folder
    assert beside.files_url != main.files_url
    assert beside.secrets == main.secrets


def test_an_unknown_instance_names_those_there_are(root: Path) -> None:
    with pytest.raises(UnknownInstanceError, match="dev, test"):
        Instance.load("prod", root)

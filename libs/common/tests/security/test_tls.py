"""Whether an address is encrypted and checked, and certificates of one's own."""

import ssl
import stat
from pathlib import Path

import pytest
from flotilla.native.authority import Authority
from flotilla.security.tls import PlainAddressError, Tls, require_encrypted, trusting

GOOD = [
    "postgresql://u:p@h/d?sslmode=verify-full",
    "amqps://u:p@h/v",
    "rediss://:p@h/0?ssl_check_hostname=true",
    "mongodb://h/?tls=true",
    "https://h:1",
    "auth=https://a|https://b,crm=https://c",
    "s3://bucket",
    "file:///data",
]
BAD = [
    "postgresql://u:p@h/d",
    "postgresql://u:p@h/d?sslmode=require",
    "amqp://u:p@h/v",
    "amqps://u:p@h/v?no_verify_ssl=1",
    "redis://:p@h/0",
    "rediss://:p@h/0?ssl_check_hostname=true&ssl_cert_reqs=none",
    "rediss://:p@h/0",
    "mongodb://h/?tls=false",
    "mongodb://h/?tls=true&tlsAllowInvalidCertificates=true",
    "http://h:1",
    "auth=https://a|http://b,crm=https://c",
]


@pytest.mark.parametrize("address", [*GOOD, ""])
def test_an_encrypted_address_is_taken(address: str) -> None:
    require_encrypted({"FLOTILLA_X": address})


@pytest.mark.parametrize("address", BAD)
def test_a_plain_or_unchecked_one_is_refused_by_name_and_not_shown(address: str) -> None:
    with pytest.raises(PlainAddressError) as raised:
        require_encrypted({"FLOTILLA_X": address, "FLOTILLA_Y": GOOD[0]})
    assert "FLOTILLA_X" in str(raised.value)
    assert "FLOTILLA_Y" not in str(raised.value)
    assert "p@h" not in str(raised.value)


def test_only_their_owner_reads_keys_and_what_is_good_is_kept(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    assert authority.issue(["redis", "auth"]) == ["redis", "auth"]
    assert authority.issue(["redis", "auth", "crm"]) == ["crm"]
    for name in ("ca", "redis", "auth", "crm"):
        assert stat.S_IMODE(authority.key_file(name).stat().st_mode) == 0o600
    assert authority.issue(["redis"], anew=True) == ["redis"]


def test_a_certificate_of_another_authority_is_made_anew(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    other.issue(["redis"])
    authority.issue(["redis"])
    authority.cert_file("redis").write_bytes(other.cert_file("redis").read_bytes())
    assert authority.issue(["redis"]) == ["redis"]


async def test_half_an_exchange_leaves_everything_as_it_was(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue(["auth", "crm"])
    tls = Tls(authority.ca_file, authority.cert_file("auth"), authority.key_file("auth"))
    tls.server(client_certificates=True)
    authority.key_file("auth").write_bytes(authority.key_file("crm").read_bytes())
    assert not tls.reload(), "the key is not the certificate's"
    authority.issue(["auth"], anew=True)
    assert tls.reload()


def test_names_and_authorities_are_checked(tmp_path: Path) -> None:
    Authority(tmp_path).issue(["auth"])
    context = trusting(tmp_path / "ca.pem")
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2

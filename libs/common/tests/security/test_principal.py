"""The principal's token: believed under any of the present keys, as long as it lives, and no longer."""

import base64
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flotilla.ids import new_id
from flotilla.problems import UnauthorizedError
from flotilla.security import principal as principals
from flotilla.security.permissions import ROLES
from flotilla.security.principal import ANONYMOUS, Principal, PrincipalSigner, PrincipalVerifier


def keys(fill: int) -> tuple[str, str]:
    """(private, public)."""
    seed = bytes([fill]) * 32
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return base64.b64encode(seed).decode(), base64.b64encode(public).decode()


PRIVATE, PUBLIC = keys(1)
NEXT_PRIVATE, NEXT_PUBLIC = keys(2)


def somebody(*, lives: int = 60, role: str = "owner") -> Principal:
    return Principal(
        org=new_id(), user_id=new_id(), session_id=new_id(), role=role, expires_at=int(time.time()) + lives
    )


def test_what_was_signed_comes_back() -> None:
    who = somebody()
    verifier = PrincipalVerifier(PUBLIC)
    token = PrincipalSigner(PRIVATE).sign(who)
    assert verifier.verify(token) == verifier.verify(token) == who


def test_while_keys_change_both_are_believed_and_then_only_the_new_one() -> None:
    old, new = PrincipalSigner(PRIVATE).sign(somebody()), PrincipalSigner(NEXT_PRIVATE).sign(somebody())
    both = PrincipalVerifier(f"{NEXT_PUBLIC},{PUBLIC}")
    assert both.verify(old)
    assert both.verify(new)
    with pytest.raises(UnauthorizedError):
        PrincipalVerifier(NEXT_PUBLIC).verify(old)


def test_one_that_was_believed_is_not_once_it_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = PrincipalVerifier(PUBLIC)
    token = PrincipalSigner(PRIVATE).sign(somebody(lives=60))
    assert verifier.verify(token)
    now = time.time()
    monkeypatch.setattr("flotilla.security.principal.time.time", lambda: now + 61)
    with pytest.raises(UnauthorizedError):
        verifier.verify(token)
    assert verifier._known == {}


def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principals, "CACHE_SIZE", 5)
    verifier, signer = PrincipalVerifier(PUBLIC), PrincipalSigner(PRIVATE)
    for _ in range(23):
        verifier.verify(signer.sign(somebody()))
        assert len(verifier._known) <= 5


def test_nobody_sees_nothing_and_may_nothing() -> None:
    assert ANONYMOUS.orgs == ()
    assert not ANONYMOUS.sees_everything
    assert not any(ANONYMOUS.may(permission) for permission in ROLES["owner"])


def test_roles_see_and_may_what_the_table_says() -> None:
    assert somebody(role="admin").sees_everything
    assert not somebody(role="team_member").sees_everything
    assert somebody(role="viewer").may("contacts:read")
    assert not somebody(role="viewer").may("contacts:write")
    assert not somebody(role="no such role").may("contacts:read")


def test_what_one_service_was_sent_is_of_no_use_at_another() -> None:
    signer, who = PrincipalSigner(PRIVATE), somebody()
    crm, billing = (PrincipalVerifier(PUBLIC, name) for name in ("crm", "billing"))
    token = signer.sign(who, "crm")
    assert crm.verify(token).user_id == who.user_id
    for _ in range(2):
        with pytest.raises(UnauthorizedError, match="another service"):
            billing.verify(token)
    assert billing.verify(signer.sign(who)), "of a gateway of the release before"

"""Sealed values open under the keys that sealed them, at the place they were sealed for, unchanged."""

import base64

import pytest
from flotilla.security.sealing import FIRST, Keyring, UnsealError, header, sealed_under
from hypothesis import given
from hypothesis import strategies as st


def key(name: str, fill: int) -> str:
    return f"{name}:{base64.b64encode(bytes([fill]) * 32).decode()}"


OLD, NEW, OTHER = key("k1", 1), key("k2", 2), key("k1", 3)
PLACE = b"row 1"


@given(st.binary(max_size=2000), st.binary(max_size=64))
def test_what_is_sealed_opens(plain: bytes, place: bytes) -> None:
    keyring = Keyring(OLD)
    sealed = keyring.seal(plain, place)
    assert keyring.open(sealed, place) == plain
    assert sealed != keyring.seal(plain, place), "the same words twice do not look the same"


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    old = Keyring(OLD).seal(b"secret", PLACE)
    rotated = Keyring(f"{NEW},{OLD}")
    assert rotated.open(old, PLACE) == b"secret"
    new = rotated.seal(b"secret", PLACE)
    assert Keyring(NEW).open(new, PLACE) == b"secret"
    with pytest.raises(UnsealError):
        Keyring(OLD).open(new, PLACE)


def test_another_key_of_the_same_name_opens_nothing() -> None:
    with pytest.raises(UnsealError):
        Keyring(OTHER).open(Keyring(OLD).seal(b"secret", PLACE), PLACE)


def test_a_value_moved_to_another_place_stays_shut() -> None:
    with pytest.raises(UnsealError):
        Keyring(OLD).open(Keyring(OLD).seal(b"secret", PLACE), b"row 2")


def test_any_change_shuts_it() -> None:
    keyring = Keyring(OLD)
    sealed = keyring.seal(b"secret", PLACE)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(UnsealError):
            keyring.open(bytes(changed), PLACE)


def test_a_value_cut_short_is_no_surprise() -> None:
    keyring = Keyring(OLD)
    sealed = keyring.seal(b"secret", PLACE)
    for length in range(len(sealed)):
        with pytest.raises(UnsealError):
            keyring.open(sealed[:length], PLACE)


@given(st.binary(max_size=200))
def test_nor_is_nonsense(sealed: bytes) -> None:
    with pytest.raises(UnsealError):
        Keyring(OLD).open(sealed, PLACE)


def test_derived_keys_outlive_rotation_and_differ_by_purpose() -> None:
    before, after = Keyring(OLD), Keyring(f"{NEW},{OLD}")
    assert before.derive("look-up") == after.derive("look-up")
    assert before.derive("look-up") != before.derive("something else")
    assert len(before.derive("look-up")) == 32


def test_derived_keys_stay_when_the_key_they_came_of_is_dropped() -> None:
    kept = OLD.replace("k1", FIRST)
    assert Keyring(NEW, kept).derive("look-up") == Keyring(f"{NEW},{OLD}").derive("look-up")


def test_a_sealed_value_says_under_which_key_it_is() -> None:
    sealed = Keyring(f"{NEW},{OLD}").seal(b"secret", PLACE)
    assert sealed_under(sealed) == "k2"
    assert sealed.startswith(header("k2"))
    with pytest.raises(UnsealError):
        sealed_under(b"{}")

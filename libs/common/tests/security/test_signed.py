"""Words that prove themselves: each has one spelling."""

import string

from flotilla.security import signed

KEYS = (b"k" * 32,)
BODY = b"c" + bytes(range(33))


def test_what_was_written_is_read() -> None:
    assert signed.read(KEYS, signed.write(KEYS, BODY), len(BODY)) == BODY


def test_no_other_spelling_of_the_same_bytes_is_read() -> None:
    """Of base 64 there are several: bits that are left over at the end, padding."""
    written = signed.write(KEYS, BODY)
    alphabet = string.ascii_letters + string.digits + "-_"
    others = {written[:-1] + last for last in alphabet} - {written}
    for other in (*others, written + "=", written + "==", written + "\n", f" {written}", written + "é"):
        assert signed.read(KEYS, other, len(BODY)) is None, other

"""A picture for tests, without a library: a PNG (ISO/IEC 15948) of one colour."""

import struct
import zlib
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def png(red: int, green: int, blue: int, *, side: int = 8) -> bytes:
    """A square of this colour, 0 to 255 each, so many pixels wide."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    line = b"\0" + bytes((red, green, blue)) * side
    chunks = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(line * side)), chunk(b"IEND", b""))
    return SIGNATURE + b"".join(chunks)


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

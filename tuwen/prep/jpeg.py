"""What the header of a JPEG file and an EXIF block say, read without a decoder."""

from __future__ import annotations

import struct
from typing import NamedTuple

MAGIC = b"\xff\xd8\xff"

_WITHOUT_LENGTH = frozenset({0x00, 0x01, 0xFF, *range(0xD0, 0xD9)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_APP1 = 0xE1
_ORIENTATION = 0x0112


class JpegHeader(NamedTuple):
    """The frame of a JPEG file (ITU-T T.81, B.2.2): its size as stored, how many channels, and its EXIF block."""

    width: int
    height: int
    channels: int
    baseline: bool
    exif: bytes

    @classmethod
    def read(cls, data: bytes) -> JpegHeader:
        """Walk the segments up to the frame.

        Raises:
            ValueError: the file ends before it, or the frame is empty.
        """
        at, exif = 2, b""
        try:
            while True:
                at = data.index(b"\xff", at)  # decoders step over stray bytes, too
                marker = data[at + 1]
                if marker in _WITHOUT_LENGTH:
                    at += 1
                    continue
                (length,) = struct.unpack_from(">H", data, at + 2)
                if marker in _FRAMES:
                    height, width, channels = struct.unpack_from(">HHB", data, at + 5)
                    break
                if marker == _APP1 and data.startswith(b"Exif\0\0", at + 4):
                    exif = data[at + 4 : at + 2 + length]
                at += 2 + length
        except (ValueError, IndexError, struct.error):
            raise ValueError("it ends before its size is told") from None
        if width * height == 0:
            raise ValueError(f"its size is {width} x {height}")
        return cls(width, height, channels, marker in (0xC0, 0xC1), exif)


def orientation(exif: bytes) -> int:
    """EXIF orientation, 1 (upright) to 8: tag 0x0112 of the block's first directory (Exif 2.32, section 4.6.4).

    1 where the tag is not there or the block is broken.
    """
    block = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, start)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", block, start + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1

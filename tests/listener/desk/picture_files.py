"""Pictures made byte by byte, with all that cameras and programs add to them. `SECRET` must never go out."""

from __future__ import annotations

import zlib
from struct import pack

SECRET = b"41.6176 N 0.6200 E"


def png(*extra: tuple[bytes, bytes], width: int = 3, height: int = 2) -> bytes:
    """A red PNG, with those chunks before the picture."""
    rows = (b"\x00" + b"\xff\x00\x00" * width) * height
    chunks = [(b"IHDR", pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *extra, (b"IDAT", zlib.compress(rows, 0))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in [*chunks, (b"IEND", b"")])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))


def exif(orientation: int = 6, order: str = "<") -> bytes:
    """An Exif block that says how to turn the picture, and where it was taken."""
    mark = b"II*\x00" if order == "<" else b"MM\x00*"
    entries = pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0) + pack(f"{order}HHII", 0x8825, 4, 1, 38)
    return mark + pack(f"{order}IH", 8, 2) + entries + pack(f"{order}I", 0) + SECRET


def jpeg(*, orientation: int = 6, order: str = "<", width: int = 640, height: int = 480) -> bytes:
    """A JPEG as a camera writes it, with two scans and something behind its end."""
    thumbnail = b"JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x01\x01" + SECRET
    segments = [
        (0xE0, thumbnail),
        (0xE1, b"Exif\x00\x00" + exif(orientation, order)),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + SECRET),
        (0xE2, b"ICC_PROFILE\x00\x01\x01colours"),
        (0xE2, b"MPF\x00" + SECRET),
        (0xED, b"Photoshop 3.0\x00" + SECRET),
        (0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x00"),
        (0xFE, SECRET),
        (0xDB, bytes(65)),
        (0xC2, pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"),
    ]
    scan = (0xDA, b"\x01\x01\x00\x00\x3f\x00")
    whole = b"\xff\xd8" + b"".join(_segment(*each) for each in segments)
    for data in (b"\x12\xff\x00\x34\xff\xd3\x56", b"\x78\x9a"):
        whole += b"\xff" + _segment(*scan) + data
    return whole + b"\xff\xd9" + SECRET


def _segment(marker: int, body: bytes) -> bytes:
    return pack(">BBH", 0xFF, marker, len(body) + 2) + body


def gif(width: int = 5, height: int = 4) -> bytes:
    """A GIF of one frame that repeats, with a comment and XMP in it."""
    head = b"GIF89a" + pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    repeats = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    xmp = b"\x21\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET + b"\x00"
    comment = b"\x21\xfe" + bytes([len(SECRET)]) + SECRET + b"\x00"
    frame = (
        b"\x21\xf9\x04\x00\x00\x00\x00\x00" + b"\x2c" + pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00"
    )
    return head + repeats + xmp + comment + frame + b"\x3b" + SECRET


def webp(width: int = 7, height: int = 6, *, extended: bool = True) -> bytes:
    """A WebP; `extended`: with colours, Exif and XMP around the picture."""
    picture = (b"VP8L", b"\x2f" + pack("<I", width - 1 | (height - 1) << 14) + b"pixels")
    whole = [
        (b"VP8X", bytes([0x2C, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")),
        (b"ICCP", b"colours"),
        picture,
        (b"EXIF", exif()),
        (b"XMP ", SECRET),
        (b"MINE", SECRET),
    ]
    chunks = [
        kind + pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in (whole if extended else [picture])
    ]
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + pack("<I", len(body)) + body

"""Pictures that go out: told by their bytes, and freed of what cameras and programs write into them. Pure.

What a file is called proves nothing, so its kind is read from its first bytes. A photo often says where and when it was
taken, with which device and by whom; so everything goes that is not needed to show the picture. Of a JPEG's Exif only
the orientation stays, or photos taken upright would lie on their side.

Formats: ITU-T T.81 annex B (JPEG), Exif 2.32 section 4.6, W3C PNG third edition, GIF89a,
developers.google.com/speed/webp/docs/riff_container, read November 2026.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from struct import error as StructError
from struct import pack, unpack_from

from listener.errors import Mistake
from listener.types import Images

MAX_BYTES = 10 * 1024 * 1024  # of one picture; it is kept in the database until its post is erased
MAX_NAME = 100  # characters of a file's name
WHAT = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WebP"}

# Only these are kept: what the picture looks like, and nothing about who made it where.
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"pHYs"}
_PNG_KEPT |= {b"bKGD", b"acTL", b"fcTL", b"fdAT"}
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_GIF_KEPT = {b"NETSCAPE2.0", b"ANIMEXTS1.0"}  # how often it repeats

_UNSAYABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture without anything in it that says who took it where; sizes in pixels."""

    name: str
    content_type: str
    width: int
    height: int
    data: bytes = field(repr=False)


class _Broken(ValueError):
    """The bytes are not what their beginning says."""


def read(name: str, data: bytes) -> Picture:
    """The picture in those bytes, cleaned. Raises Mistake, in one sentence, for what is none or is too large."""
    if len(data) > MAX_BYTES:
        raise Mistake(f"{name} is larger than {size(MAX_BYTES)}, the most that one picture may have; make it smaller.")
    readers: tuple[tuple[str, str, Callable[[bytes], tuple[int, int, bytes]]], ...] = (
        ("image/png", r"\x89PNG\r\n\x1a\n", _png),
        ("image/jpeg", r"\xff\xd8\xff", _jpeg),
        ("image/gif", r"GIF8[79]a", _gif),
        ("image/webp", r"RIFF(?s:....)WEBP", _webp),
    )
    for content_type, start, reader in readers:
        if not re.match(start.encode("latin-1"), data):
            continue
        try:
            width, height, clean = reader(data)
        except (_Broken, StructError, IndexError):
            raise Mistake(f"{name} is a damaged {WHAT[content_type]} picture; save it once more.") from None
        if not width or not height:
            raise Mistake(f"{name} is a {WHAT[content_type]} picture without any size; save it once more.")
        return Picture(name=name[-MAX_NAME:], content_type=content_type, width=width, height=height, data=clean)
    raise Mistake(f"{name} is no PNG, JPEG, GIF or WebP picture; save it as one of these.")


def misfits(pictures: Iterable[Picture], images: Images | None, where: str) -> list[str]:
    """Why a post `where` cannot carry these, one sentence each."""
    listed = list(pictures)
    if not listed:
        return []
    if images is None:
        return [f"{where} takes no pictures; leave the picture out there."]
    found = []
    if len(listed) > images.count:
        most = "one picture" if images.count == 1 else f"{images.count} pictures"
        found.append(f"{where} takes {most} in a post, and these are {len(listed)}; leave some out.")
    for each in listed:
        if each.content_type not in images.types:
            taken = ", ".join(WHAT.get(kind, kind) for kind in images.types)
            found.append(f"{where} takes no {WHAT[each.content_type]} such as {each.name}; it takes {taken}.")
        if len(each.data) > images.bytes:
            found.append(
                f"{each.name} has {size(len(each.data))}, and {where} takes {size(images.bytes)}; make it smaller."
            )
    return found


def misdescribed(name: str, alt: str, images: Images, where: str) -> list[str]:
    """Why the description `alt` of that picture cannot go out `where`, one sentence each."""
    if bad := _UNSAYABLE.search(alt):
        return [f"The description of {name} holds {bad[0]!a}, which nobody can read; remove it."]
    if len(alt) > images.alt:
        return [f"The description of {name} has {len(alt):,} characters, and {where} takes {images.alt:,}; shorten it."]
    return []


def size(number: int) -> str:
    """`812 bytes`, `14 KB`, `2.5 MB`."""
    if number < 1024:
        return "1 byte" if number == 1 else f"{number} bytes"
    return f"{number / 1024:.0f} KB" if number < 1024 * 1024 else f"{number / 1024 / 1024:.1f} MB".replace(".0 ", " ")


def spoken(name: str, content_type: str, length: int, alts: Mapping[str, str]) -> str:
    """A picture in one line: `outage.png (PNG, 14 KB): “A map of the outage”`; every language where there are more."""
    said = [f"“{alt}”" if len(alts) == 1 else f"{language} “{alt}”" for language, alt in alts.items()]
    return f"{name} ({WHAT.get(content_type, content_type)}, {size(length)}): {', '.join(said)}"


# --- one format each: width, height, and the bytes without what is nobody's business ---------------------------------


def _png(data: bytes) -> tuple[int, int, bytes]:
    kept, at = [data[:8]], 8
    kinds = []
    while at < len(data) and b"IEND" not in kinds:
        length, kind = unpack_from(">I4s", data, at)
        body, end = data[at + 8 : at + 8 + length], at + 12 + length
        if end > len(data) or zlib.crc32(kind + body) != unpack_from(">I", data, end - 4)[0]:
            raise _Broken
        kinds.append(kind)
        if kind in _PNG_KEPT:
            kept.append(data[at:end])
        elif kind[:1].isupper():  # needed to show it, and unknown to us
            raise _Broken
        at = end
    if kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"] or b"IDAT" not in kinds:
        raise _Broken
    width, height = unpack_from(">II", data, 16)
    return width, height, b"".join(kept)


def _jpeg(data: bytes) -> tuple[int, int, bytes]:
    kept, at = [data[:2]], 2
    width = height = 0
    scans = 0
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:  # fill bytes
            at += 1
        if data[at] != 0xFF:
            raise _Broken
        marker = data[at + 1]
        if marker == 0xD9:
            break
        (length,) = unpack_from(">H", data, at + 2)
        end = at + 2 + length
        body = data[at + 4 : end]
        if length < 2 or end > len(data):
            raise _Broken
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = unpack_from(">HH", body, 1)
        segment = data[at:end]
        if 0xE0 <= marker <= 0xEF or marker == 0xFE:
            segment = _jpeg_extra(marker, segment, body)
        kept.append(segment)
        at = end
        if marker == 0xDA:  # the picture itself follows, up to the next marker
            scans += 1
            found = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL).search(data, at)
            if not found:
                raise _Broken
            kept.append(data[at : found.start()])
            at = found.start()
    if not scans:
        raise _Broken
    return width, height, b"".join([*kept, b"\xff\xd9"])  # what stands behind the end is no part of the picture


def _jpeg_extra(marker: int, segment: bytes, body: bytes) -> bytes:
    """What of a segment that programs add is needed to show the picture."""
    if marker == 0xE0 and body.startswith(b"JFIF\x00") and len(body) >= 14:
        return b"\xff\xe0\x00\x10" + body[:12] + b"\x00\x00"  # without its thumbnail
    if marker == 0xE1 and body.startswith(b"Exif\x00\x00"):
        orientation = _orientation(body[6:])
        return b"" if orientation == 1 else _exif_of(orientation)
    if (marker == 0xE2 and body.startswith(b"ICC_PROFILE\x00")) or (marker == 0xEE and body.startswith(b"Adobe")):
        return segment  # which colours are meant
    return b""


def _orientation(tiff: bytes) -> int:
    """How the picture is to be turned, 1 (not at all) to 8, as Exif says it; 1 where it says nothing readable."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (at,) = unpack_from(f"{order}I", tiff, 4)
        (entries,) = unpack_from(f"{order}H", tiff, at)
        for entry in range(min(entries, 200)):
            tag, kind, _, value = unpack_from(f"{order}HHIH", tiff, at + 2 + 12 * entry)
            if (tag, kind) == (0x0112, 3):
                return int(value) if 1 <= value <= 8 else 1
    except StructError:
        return 1
    return 1


def _exif_of(orientation: int) -> bytes:
    """An Exif segment that holds nothing but the orientation."""
    tiff = b"MM\x00*" + pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return b"\xff\xe1" + pack(">H", 8 + len(tiff)) + b"Exif\x00\x00" + tiff


def _gif(data: bytes) -> tuple[int, int, bytes]:
    width, height, flags = unpack_from("<HHB", data, 6)
    at = 13 + _gif_colours(flags)
    kept, frames = [data[:at]], 0
    while data[at] != 0x3B:
        start = at
        if data[at] == 0x2C:
            frames += 1
            at = _gif_blocks(data, at + 11 + _gif_colours(data[at + 9]))
            kept.append(data[start:at])
        elif data[at] == 0x21:
            label, name = data[at + 1], data[at + 3 : at + 14]
            at = _gif_blocks(data, at + 2)
            if label == 0xF9 or (label == 0xFF and name in _GIF_KEPT):
                kept.append(data[start:at])
        else:
            raise _Broken
    if not frames:
        raise _Broken
    return width, height, b"".join([*kept, b";"])


def _gif_colours(flags: int) -> int:
    """How many bytes of a colour table follow."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_blocks(data: bytes, at: int) -> int:
    """Where the row of blocks that begins at `at` ends."""
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _webp(data: bytes) -> tuple[int, int, bytes]:
    kept: list[bytes] = []
    width = height = 0
    for kind, found in _riff(data):
        if kind not in _WEBP_KEPT:
            continue
        body = found
        if kind == b"VP8X":
            body = bytes([found[0] & ~0x0C]) + found[1:]  # it holds neither Exif nor XMP any more
            width, height = (int.from_bytes(body[start : start + 3], "little") + 1 for start in (4, 7))
        elif kind == b"VP8 " and not width:
            if body[3:6] != b"\x9d\x01\x2a":
                raise _Broken
            width, height = (each & 0x3FFF for each in unpack_from("<HH", body, 6))
        elif kind == b"VP8L" and not width:
            (bits,) = unpack_from("<I", body, 1)
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        kept.append(kind + pack("<I", len(body)) + body + b"\x00" * (len(body) % 2))
    if not any(each[:4] in (b"VP8 ", b"VP8L", b"ANMF") for each in kept):
        raise _Broken
    whole = b"WEBP" + b"".join(kept)
    return width, height, b"RIFF" + pack("<I", len(whole)) + whole


def _riff(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, end = 12, 8 + unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise _Broken
    while at + 8 <= end:
        kind, length = unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise _Broken
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2

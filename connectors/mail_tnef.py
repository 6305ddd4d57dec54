"""Outlook's winmail.dat (TNEF): the text and the names of the files inside. Pure; tnefparse does the reading.

tnefparse believes every count that a file gives, and a few bytes can claim four billion values. So an envelope is
walked once before, and only what has counts that fit into its own length is handed over. Layout: MS-OXTNEF 2.1.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tnefparse import TNEF

LARGEST = 2 * 1024 * 1024

_SIGNATURE = 0x223E9F78
_MOST_ATTRIBUTES = 2_000
_MAPI = (0x9003, 0x9005)  # properties of the message, and of a file in it
_LEFT_OUT = (0x9004, 0x800F, 0x8011, 0x9002)  # recipients, and the contents of files: we want their names alone
_ATTACHMENT_DATA = 0x800F
_MULTIPLE, _NAMED = 0x1000, 0x8000
_FIXED = {0x02: 2, 0x0B: 2, 0x03: 4, 0x04: 4, 0x0A: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x14: 8, 0x40: 8, 0x48: 16}
_SIZED = (0x00, 0x0D, 0x1E, 0x1F, 0x102)

logging.getLogger("tnefparse").setLevel(logging.CRITICAL)  # it tells of every oddity in what strangers send


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What is inside: the text in one form or none, and the files by name and size in bytes."""

    text: str = ""
    html: str = ""
    files: tuple[tuple[str, int], ...] = ()


def read(data: bytes) -> Envelope | None:
    """What the envelope holds; None for what is none, or cannot be read safely."""
    if len(data) > LARGEST:
        return None
    try:
        safe, sizes = _reduced(data)
        tnef = TNEF(safe, do_checksum=False)
        names = [_text(attachment.long_filename()) for attachment in tnef.attachments]
        files = tuple((name[:200] or "file", size) for name, size in zip(names, sizes, strict=False))
        return Envelope(text=_text(tnef.body), html=_text(tnef.htmlbody), files=files[:100])
    except Exception:  # noqa: BLE001  it reads what strangers made, and breaks in as many ways
        return None


def _text(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    if not isinstance(value, bytes):
        return str(value or "").rstrip("\x00")
    try:
        return value.decode("utf-8").rstrip("\x00")
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace").rstrip("\x00")


def _reduced(data: bytes) -> tuple[bytes, list[int]]:
    """The envelope without what could do harm and without the files themselves, whose sizes come beside it."""
    if struct.unpack_from("<I", data)[0] != _SIGNATURE:
        raise ValueError("no TNEF")
    kept, sizes = bytearray(data[:6]), list[int]()
    for attribute, value, whole in _attributes(data):
        if attribute == 0x9002:  # each file begins with how it is drawn
            sizes.append(0)
            kept += whole
        elif attribute == _ATTACHMENT_DATA and sizes:
            sizes[-1] = len(value)
        elif attribute not in _LEFT_OUT and (attribute not in _MAPI or _counts_fit(value)):
            kept += whole
    return bytes(kept), sizes


def _attributes(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    at = 6
    for _ in range(_MOST_ATTRIBUTES):
        if at + 11 > len(data):
            return
        attribute, length = struct.unpack_from("<HxxI", data, at + 1)
        end = at + 9 + length + 2
        if end > len(data):
            return
        yield attribute, data[at + 9 : end - 2], data[at:end]
        at = end


def _counts_fit(value: bytes) -> bool:
    """Whether every property and every value that is announced is there."""
    try:
        return _walk(value) <= len(value) + 3
    except (struct.error, KeyError):
        return False


def _walk(value: bytes) -> int:
    (count,) = struct.unpack_from("<I", value)
    at = 4
    if count * 4 > len(value):
        raise KeyError(count)
    for _ in range(count):
        kind, name = struct.unpack_from("<HH", value, at)
        at += 4
        if name >= _NAMED:
            which, length = struct.unpack_from("<II", value, at + 16)
            at += 24 + ((length + 3) // 4 * 4 if which else 0)
        plain, several = kind & ~_MULTIPLE, 1
        if kind & _MULTIPLE or plain in _SIZED:
            (several,) = struct.unpack_from("<I", value, at)
            at += 4
        if several * 4 > len(value):
            raise KeyError(several)
        if plain in _SIZED:
            for _ in range(several):
                (length,) = struct.unpack_from("<I", value, at)
                at += 4 + (length + 3) // 4 * 4
        else:
            at += (_FIXED[plain] * several + 3) // 4 * 4
    return at

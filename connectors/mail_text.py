"""What a mail says: headers and parts as plain text, whatever charset, encoding or form they came in.

Pure, and takes any bytes without raising. MIME: RFC 2045 to 2047, 2183, 2231, 3462, 3676 (flowed text); winmail.dat is
Outlook's own envelope (TNEF), opened with tnefparse.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.utils import collapse_rfc2231_value
from itertools import islice

from connectors import mail_tnef
from connectors.mail_html import html_to_text
from connectors.plain import clean

LONGEST_TEXT = 200_000  # characters of one part that are read
LONGEST_HEADER = 50_000  # characters
_LONGEST_PARAMETERS = 4_000  # and of a header with parameters, such as Content-Type
_MOST_HEADERS = 1_000
_DEEPEST = 30
_MOST_PARTS = 300

_WORD = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t\r\n]+(?==\?[^?\s]{1,80}\?[bBqQ]\?)")
_FOLD = re.compile(r"\r?\n(?=[ \t])|[\r\n]+")
_NESTED = re.compile(rb"(?:^|[\r\n])content-type:\s*(?:multipart|message)/", re.IGNORECASE)
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")

# Charsets that mean another than they say: what mail programs write, and what they then send.
_ALIASES = {
    **dict.fromkeys(("iso-8859-1", "latin-1", "latin1", "iso8859-1", "iso-8859-15", "windows-1252"), "cp1252"),
    **dict.fromkeys(("us-ascii", "ascii", "ansi_x3.4-1968", "utf8", "utf-8", "unicode-1-1-utf-8", "cp65001"), "utf-8"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk", "gb_2312-80"), "gb18030"),
    **dict.fromkeys(("ks_c_5601-1987", "euc-kr"), "cp949"),
    **dict.fromkeys(("shift_jis", "x-sjis", "shift-jis"), "cp932"),
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254",
}
_ISO_15 = {"iso-8859-15"}
_NO_CHARSETS = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7", "utf7", "mbcs", "oem"}
_OFTEN_UTF8 = {"cp1252", "utf-8"}


def decode(data: bytes, charset: str = "") -> str:
    """The bytes as text: in the charset they claim if that fits, else in UTF-8 if that does, else in Windows-1252."""
    name = charset.strip().strip("\"'").lower().replace("_", "-")
    name = "iso8859-15" if name in _ISO_15 else _ALIASES.get(charset.strip().lower(), _ALIASES.get(name, name))
    guesses = ["utf-8", name] if name in _OFTEN_UTF8 or not name else [name, "utf-8"]
    for guess in guesses:
        try:
            if guess and guess not in _NO_CHARSETS and len(guess) <= 40:
                return data.decode(codecs.lookup(guess).name)
        except (LookupError, ValueError):
            continue
    return data.decode("cp1252", "replace")


# --- headers --------------------------------------------------------------------------------------------------------


class _Bounded(Message):
    """A mail or part with so many headers of such a length: what the library does with longer ones takes the square."""

    def set_raw(self, name: str, value: str) -> None:
        if len(self) < _MOST_HEADERS:
            longest = _LONGEST_PARAMETERS if name.lower().startswith("content-") else LONGEST_HEADER
            super().set_raw(name, value[:longest])


def parse(data: bytes) -> Message:
    """The mail as the library reads it: headers untouched, but for those that no program writes.

    The library looks at each line once for every part that it is nested in, so what is nested deeper is left out.
    """
    nested = next(islice(_NESTED.finditer(data), _DEEPEST, None), None)
    readable = data[: nested.start()] if nested else data
    return BytesParser(_Bounded, policy=email.policy.compat32).parsebytes(readable)


def headers(message: Message, name: str) -> list[str]:
    """Every header of that name as it came, unfolded and not decoded; raw 8-bit text in the charset that fits."""
    wanted = name.lower()
    found = [value for each, value in message.raw_items() if each.lower() == wanted]
    return [_unfold(decode(str(value).encode("utf-8", "surrogateescape"))) for value in found[:50]]


def header(message: Message, name: str) -> str:
    """The first header of that name that says something, else empty."""
    return next((value for value in headers(message, name) if value), "")


def words(value: str) -> str:
    """A header's value with its encoded words (RFC 2047) read, as one clean line."""
    return " ".join(clean("".join(_pieces(_BETWEEN_WORDS.sub(r"\1", value[:20_000])))).split())


def _unfold(value: str) -> str:
    return clean(_FOLD.sub(" ", value[:50_000])).replace("\n", " ").strip()


def _pieces(value: str) -> Iterator[str]:
    """Words in a row that share a charset are joined before they are decoded: some programs cut within a letter."""
    at, charset, waiting = 0, "", b""
    for found in _WORD.finditer(value):
        between = value[at : found.start()]
        name = found[1].partition("*")[0]
        if waiting and (between or name.lower() != charset.lower()):
            yield decode(waiting, charset)
            waiting = b""
        yield between
        waiting += _unquote(found[2], found[3])
        charset, at = name, found.end()
    if waiting:
        yield decode(waiting, charset)
    yield value[at:]


def _unquote(how: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if how in "qQ":
        return _HEX.sub(lambda m: bytes([int(m[1], 16)]), raw.replace(b"_", b" "))
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except (binascii.Error, ValueError):
        return raw


# --- the body -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class File:
    """Something attached: its name, type and size in bytes (None: it was not fetched)."""

    name: str
    content_type: str
    size: int | None


@dataclass(kw_only=True)
class Body:
    """What a mail holds. `attached`: the texts of mails within it, each with a line that says whose it is."""

    text: str = ""
    files: list[File] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    left: int = _MOST_PARTS


def read_body(message: Message) -> Body:
    """The text a person would read, and what else is there."""
    body = Body()
    body.text = _read(message, body, 0).strip()
    return body


def _read(part: Message, body: Body, depth: int) -> str:
    body.left -= 1
    if depth > _DEEPEST or body.left < 0:
        return ""
    payload = part.get_payload()
    if isinstance(payload, list):
        return _read_several(part, [each for each in payload if isinstance(each, Message)], body, depth)
    kind, name, data = part.get_content_type(), file_name(part), payload_of(part)
    if kind in ("application/ms-tnef", "application/vnd.ms-tnef") or name.lower() == "winmail.dat":
        return _read_tnef(data, body)
    attached = _disposition(part) == "attachment" or (name and depth > 0)
    if kind in ("text/plain", "text/html") and not attached:
        text = decode(data[:LONGEST_TEXT], _charset(part))
        return clean(html_to_text(clean(text))) if kind == "text/html" else _flowed(clean(text), part)
    if kind != "text/rfc822-headers" and (data or name):
        size = None if part.get("X-Escucha-Left-Out") else len(data)
        body.files.append(File(name=name, content_type=kind, size=size))
    return ""


def _read_several(part: Message, children: list[Message], body: Body, depth: int) -> str:
    kind = part.get_content_type()
    if kind == "message/rfc822":
        return _read_attached(children, body, depth)
    if kind == "message/delivery-status":
        return "\n".join(clean(str(child)).strip() for child in children[:20])[:5_000]
    texts = [(child.get_content_type(), _read(child, body, depth + 1)) for child in children]
    if kind == "multipart/alternative":
        return _best(texts)
    return "\n\n".join(text for _, text in texts if text.strip())


def _best(texts: list[tuple[str, str]]) -> str:
    """The plain text of several forms of one, else the last form that says something."""
    plain = next((text for kind, text in texts if kind == "text/plain" and text.strip()), "")
    return plain or next((text for _, text in reversed(texts) if text.strip()), "")


def _read_attached(children: list[Message], body: Body, depth: int) -> str:
    for inner in children[:1]:
        said = [f"{name}: {words(header(inner, name))}" for name in ("From", "Date", "Subject") if header(inner, name)]
        text = _read(inner, body, depth + 1).strip()
        body.attached.append("\n".join([*said, "", text]).strip())
    return ""


def _read_tnef(data: bytes, body: Body) -> str:
    envelope = mail_tnef.read(data)
    if envelope is None:
        body.files.append(File(name="winmail.dat", content_type="application/ms-tnef", size=len(data)))
        return ""
    for name, size in envelope.files:
        body.files.append(File(name=clean(name), content_type="application/octet-stream", size=size))
    if envelope.html:
        return clean(html_to_text(clean(envelope.html[:LONGEST_TEXT])))
    return clean(envelope.text[:LONGEST_TEXT])


def payload_of(part: Message) -> bytes:
    """The bytes of a part, its transfer encoding undone as far as it goes."""
    try:
        data = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AttributeError):
        return b""
    return data if isinstance(data, bytes) else b""


def file_name(part: Message) -> str:
    """The name of a part, in whichever of the forms in use; no path, at most 200 characters."""
    for name, where in (("filename", "content-disposition"), ("name", "content-type")):
        try:
            value = part.get_param(name, header=where)
            text = "" if value is None else collapse_rfc2231_value(value)
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
        text = decode(str(text).encode("utf-8", "surrogateescape"))
        text = re.split(r"[/\\]", words(text.strip('"')))[-1]
        if text:
            return text[:200]
    return ""


def _charset(part: Message) -> str:
    try:
        value = part.get_param("charset")
        return collapse_rfc2231_value(value) if value else ""
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def _disposition(part: Message) -> str:
    return header(part, "Content-Disposition").partition(";")[0].strip().lower()


def _flowed(text: str, part: Message) -> str:
    """The text with its soft line ends undone (RFC 3676), where its program says that it has them."""
    try:
        asked = str(part.get_param("format") or "").lower(), str(part.get_param("delsp") or "").lower()
    except (ValueError, LookupError, TypeError, AttributeError):
        return text
    if asked[0] != "flowed":
        return text
    lines: list[str] = []
    open_depth = -1
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        said = line[depth:].removeprefix(" ")
        soft = said.endswith(" ") and said != "-- "
        if depth == open_depth and said != "-- ":
            lines[-1] += said
        else:
            lines.append((">" * depth + " " if depth else "") + said)
        if soft and asked[1] == "yes":
            lines[-1] = lines[-1].removesuffix(" ")
        open_depth = depth if soft else -1
    return "\n".join(lines)

"""Mails as ours: who wrote, whether a machine did, which conversation it belongs to, what it says. Pure.

**Which mail it is.** Its identity here is its Message-ID with a mark of who wrote it and when, `1.22@a.example/1f0c…`.
A Message-ID alone would not do: some web forms give the same one to every mail, and a stranger may copy one, and then
what one person wrote would replace what another did. Mails of our own keep the bare id, under which they were sent. A
mail without a Message-ID gets one made of its headers, the same each time it is read. A mail that names no sender is
nobody else's: its author is one of its own, made of the mail's identity.

**Machines** are known by RFC 3834 (Auto-Submitted), by the older signs in use (Precedence, X-Autoreply, List-* …), by
an empty return path, and by names such as noreply. None of them is ever answered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from connectors.mail_proof import sender_is_proven
from connectors.mail_quotes import split
from connectors.mail_text import Body, File, header, headers, parse, read_body, words
from connectors.plain import clean
from listener.types import Author, Media, Post, PostKind, Visibility

LONGEST_ID = 250
LONGEST_TEXT = 50_000
LONGEST_ADDRESSES = 20_000  # characters of a header with addresses that are read
NO_MESSAGE_ID = "no-message-id"

_MESSAGE_ID = re.compile(rf"<\s*([^<>\s]{{1,{LONGEST_ID}}})\s*>")
_SUBJECT_MARK = re.compile(
    r"\s*(?:(?:re|rv|r|sv|aw|antw|wg|tr|fw|fwd|enc|res|reenv)(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE
)
_MACHINES = re.compile(
    r"(?:mailer-?daemon|postmaster|(?:do-?)?no-?t?-?reply|no-?responder|nao-?responda|noreply|donotreply|auto-?(?:reply|"
    r"responder|mailer)|bounces?|notifications?|alerts?|newsletter|majordomo|listserv|owner-.*|.*-(?:request|owner|bounces)"
    r")(?:[+=._-].*)?",
    re.IGNORECASE,
)
_REPORTS = ("multipart/report", "message/delivery-status", "message/disposition-notification")
_AWAY = re.compile(
    r"\s*(?:automatic reply|auto(?:matic)?[- ]?(?:reply|response)|out of (?:the )?office|respuesta autom[aá]tica|"
    r"fuera de (?:la )?oficina|resposta autom[aá]tica|abwesen|automatische antwort|r[eé]ponse automatique)",
    re.IGNORECASE,
)
_CLOCKS_DIFFER = timedelta(hours=1)
_OLDEST_CLAIM = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail as it was fetched: its bytes (or what of them was wanted), its whole size, when the server took it."""

    uid: int
    data: bytes | Message
    size: int
    arrived_at: datetime


def to_post(mail: Mail, *, ours: str, folder: str, checked_by: str = "") -> Post:
    """The mail as Post. `ours` is the address of this mailbox, `checked_by` the server that proves senders.

    Raises ValueError for what is no mail at all.
    """
    message = mail.data if isinstance(mail.data, Message) else parse(mail.data)
    if not message.keys():
        raise ValueError("no headers")
    body = read_body(message)
    author_name, author_address = first_address(message, "From", "Sender")
    sign = _machine_sign(message, author_address)
    bounce = _bounced_id(message, ours)
    mail_id = message_id(message)
    references = _references(message)
    replies_to = (ids(header(message, "In-Reply-To")) or references[-1:] or ([bounce] if bounce else []))[:1]
    said, quoted = _said(message, body, known_thread=bool(references or replies_to))
    identity = _identity(message, mail_id, author_address, body, ours)
    nobody = f"unknown-{_digest(identity)[:12]}"  # no address: it has no @
    return Post(
        external_id=identity,
        author=Author(
            external_id=author_address.lower() or nobody,
            handle=author_address or nobody,
            display_name=author_name,
            bot=sign == "machine" and not bounce,
        ),
        text=said[:LONGEST_TEXT],
        quoted=quoted[:LONGEST_TEXT],
        posted_at=_posted_at(message, mail.arrived_at),
        kind=PostKind.DIRECT,
        visibility=Visibility.DIRECT,
        unanswerable="automatic mail" if sign else "" if author_address else "it has no sender",
        sender_proven=sender_is_proven(message, author_address, checked_by),
        language=_language(message),
        parent_id=replies_to[0] if replies_to else None,
        thread_id=(references or replies_to or [mail_id or _made_up(message, body)])[0],
        media=tuple(_media(file) for file in body.files[:50]),
        raw=_raw(message, mail, mail_id, references, folder),
    )


# --- who ------------------------------------------------------------------------------------------------------------


def addresses(values: Sequence[str]) -> list[tuple[str, str]]:
    """Names, decoded, and addresses, their domains in lower case; what is no address is left out."""
    found = []
    try:
        given_ones = getaddresses([value[:LONGEST_ADDRESSES] for value in values[:50]])[:100]
    except RecursionError:  # comments within comments within comments
        return []
    for name, given in given_ones:
        address = words(given).strip().strip("'\"")
        local, at, domain = address.rpartition("@")
        if at and local and domain and len(address) <= LONGEST_ID and not re.search(r"[\s<>(),;:\\\"]", address):
            found.append((words(name).strip("'\""), f"{local}@{domain.lower()}"))
    return found


def first_address(message: Message, *names: str) -> tuple[str, str]:
    """The first usable address of these headers, with its name."""
    for name in names:
        for found in addresses(headers(message, name)):
            return found
    return words(header(message, names[0]))[:100], ""


def is_machine(address: str) -> bool:
    """Whether the address says by its name that no person reads what comes there."""
    return _MACHINES.fullmatch(address.partition("@")[0]) is not None


def _machine_sign(message: Message, address: str) -> str:
    """`machine` where a machine's address wrote, `answer` where a person's did by itself, empty where a person did."""
    submitted = header(message, "Auto-Submitted").lower().partition(";")[0].strip()
    precedence = header(message, "Precedence").lower()
    return_paths = headers(message, "Return-Path")
    if (
        is_machine(address)
        or (return_paths and return_paths[0].replace(" ", "") == "<>" and not submitted.startswith("auto-replied"))
        or precedence in ("bulk", "list", "junk")
        or any(each.lower().startswith("list-") for each in message)
        or submitted.startswith("auto-generated")
        or message.get_content_type() in _REPORTS
        or any(header(message, name) for name in ("Feedback-ID", "X-Mailing-List", "X-Auto-Generated"))
    ):
        return "machine"
    suppress = header(message, "X-Auto-Response-Suppress").lower()
    if (
        (submitted and submitted != "no")
        or precedence == "auto_reply"
        or any(header(message, f"X-{name}") for name in ("Autoreply", "Autorespond", "Autoresponder", "Vacation"))
        or header(message, "X-Autogenerated").lower() in ("reply", "forward")
        or any(word in suppress for word in ("all", "autoreply", "oof"))
        or _AWAY.match(words(header(message, "Subject")))
    ):
        return "answer"
    return ""


# --- which ----------------------------------------------------------------------------------------------------------


def ids(value: str) -> list[str]:
    """The message ids in a header, in order, each once; also those that lack their brackets."""
    found = _MESSAGE_ID.findall(value[:20_000])
    if not found and "@" in value and "<" not in value:
        found = [each for each in re.split(r"[\s,;\"]+", value[:2_000]) if "@" in each and len(each) <= LONGEST_ID]
    return list(dict.fromkeys(clean(each) for each in found))


def message_id(message: Message) -> str:
    """The mail's own id without its brackets; empty where it has none that can be used."""
    return (ids(header(message, "Message-ID")) or [""])[0]


def _references(message: Message) -> list[str]:
    found = ids(" ".join(headers(message, "References")))
    return [*found[:1], *found[1:][-30:]]


def _identity(message: Message, mail_id: str, address: str, body: Body, ours: str) -> str:
    if not mail_id:
        return _made_up(message, body)
    if address.lower() == ours.lower():
        return mail_id
    when = header(message, "Date") or body.text[:1_000]
    return f"{mail_id}/{_digest(address.lower(), when)[:12]}"


def _made_up(message: Message, body: Body) -> str:
    """An id for a mail without one: the same whenever, and from wherever, the mail is read."""
    told = [header(message, name) for name in ("Date", "From", "To", "Cc", "Subject")]
    return f"{_digest(*told, body.text[:1_000])[:32]}@{NO_MESSAGE_ID}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _bounced_id(message: Message, ours: str) -> str:
    """The id of the mail of ours that could not be delivered, where this says so."""
    if message.get_content_type() != "multipart/report":
        return ""
    for part in list(message.walk())[:50]:
        kind, payload = part.get_content_type(), part.get_payload()
        inner = payload[0] if isinstance(payload, list) and payload and kind == "message/rfc822" else None
        if kind == "text/rfc822-headers" and isinstance(payload, str):
            inner = parse(payload.encode("utf-8", "replace"))
        if isinstance(inner, Message) and first_address(inner, "From")[1].lower() == ours.lower():
            return message_id(inner)
    return ""


# --- what -----------------------------------------------------------------------------------------------------------


def _said(message: Message, body: Body, *, known_thread: bool) -> tuple[str, str]:
    """The subject and the mail's own words; and what it repeats, mails attached to it included."""
    said, quoted = split(body.text[: 2 * LONGEST_TEXT])
    attached = [f"[Attached mail]\n{text}" for text in body.attached[:10]]
    if not said and attached:
        said, attached = attached[0], attached[1:]
    subject = words(header(message, "Subject"))[:500]
    only_repeats = known_thread and _SUBJECT_MARK.match(subject)
    first = "" if only_repeats and said else subject
    return "\n\n".join(part for part in (first, said) if part), "\n\n".join([*([quoted] if quoted else []), *attached])


def _posted_at(message: Message, arrived_at: datetime) -> datetime:
    """When it was written as its sender says; when it arrived where that cannot be."""
    try:
        moment = parsedate_to_datetime(header(message, "Date"))
        claimed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return arrived_at
    return claimed if arrived_at - _OLDEST_CLAIM <= claimed <= arrived_at + _CLOCKS_DIFFER else arrived_at


def _language(message: Message) -> str | None:
    claimed = header(message, "Content-Language").partition(",")[0].strip().lower()
    return claimed if re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", claimed) else None


def _media(file: File) -> Media:
    """An attachment by its name: it has no address, and stays in the mailbox."""
    kind = file.content_type.partition("/")[0]
    size = "" if file.size is None else f", {_spoken(file.size)}"
    name = file.name or "without a name"
    return Media(
        kind=kind if kind in ("image", "video", "audio") else "file", url="", alt=f"{name} ({file.content_type}{size})"
    )


def _spoken(size: int) -> str:
    return f"{size} bytes" if size < 1024 else f"{size / 1024:.0f} KB" if size < 1024**2 else f"{size / 1024**2:.1f} MB"


def _raw(message: Message, mail: Mail, mail_id: str, references: list[str], folder: str) -> dict[str, Any]:
    """What an answer needs to know, and what a person may ask; never the body."""
    return {
        "message_id": mail_id,
        "references": references,
        "in_reply_to": ids(header(message, "In-Reply-To"))[:1],
        "subject": words(header(message, "Subject"))[:500],
        **{
            key: [address for _, address in addresses(headers(message, name))][:20]
            for key, name in (("from", "From"), ("reply_to", "Reply-To"), ("to", "To"), ("cc", "Cc"))
        },
        "date": header(message, "Date")[:100],
        "size": mail.size,
        "folder": folder,
        "uid": mail.uid,
    }

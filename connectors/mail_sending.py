"""Answers as mails: whom they go to, what they look like, and how one is handed over, once.

**Whom.** The address in From, whatever Reply-To names: an answer may speak of the sender's matter, and From proves
nothing. Whoever writes in another's name gets nothing by it; at large providers not even the same domain would mean
the same person. Never to ourselves, nor to a machine, nor where answers are wanted at a machine.

**As what.** An answer that no person approved says so (RFC 3834), and other machines leave it alone.

**Once.** A mail is handed over when the server has seen the dot that ends it. Before that dot nothing is sent, whatever
breaks. After it, only the server's answer tells; where none comes, nobody knows, and that is what is said.
"""

from __future__ import annotations

import base64
import re
import smtplib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from connectors.mail_posts import LONGEST_ID, NO_MESSAGE_ID, is_machine
from connectors.mail_settings import ADDRESS, Settings
from connectors.mail_wire import of_reply, of_smtp, sending
from connectors.plain import clean
from listener.errors import NetworkError, OutcomeUnknown, Rejected
from listener.types import Attachment, MessageRequest, ReplyRequest

_MARKED = re.compile(r"\s*(?:re|rv|aw|sv)\s*:", re.IGNORECASE)
_NO_SUBJECT = {"es": "su mensaje", "pt": "a sua mensagem"}
POLICY = SMTP.clone(max_line_length=78)
_FOLD = "\r\n "
_WORD_BYTES = 45  # of text in one encoded word, which may be 75 characters long


def our_message_id(key: str, address: str) -> str:
    """The Message-ID, without brackets, of whatever is sent for that key: the same at every attempt."""
    return f"{re.sub(r'[^A-Za-z0-9.-]', '-', key)}@{address.rpartition('@')[2]}"


def recipient(request: ReplyRequest, settings: Settings) -> str:
    """The address the answer goes to. Rejected where there is none that may be written to."""
    wanted_at = _list(request.parent_raw, "reply_to")
    if wanted_at and all(map(is_machine, wanted_at)):
        raise Rejected("That mail wants its answers at a machine's address; nobody would read one")
    return reachable(request.parent_author.handle, settings)


def reachable(address: str, settings: Settings) -> str:
    """The address as servers take it. Rejected where it must not be written to."""
    if address.lower() == settings.address.lower():
        raise Rejected("That is our own address; a mail would come back to us")
    if is_machine(address):
        raise Rejected("That address is a machine's; a mail could start a loop")
    local, _, domain = address.rpartition("@")
    with suppress(UnicodeError):
        address = f"{local}@{domain.encode('idna').decode('ascii')}"
    if not ADDRESS.fullmatch(address):
        raise Rejected("That address is none that a mail can be sent to")
    return address


def build(request: ReplyRequest, settings: Settings, to: str, now: datetime) -> bytes:
    """The answer as a mail: plain text in UTF-8, in the conversation of the mail it answers, pictures attached.

    The headers are written here. The library would read encoded words in what strangers gave as a subject, line ends
    in them too (CVE-2024-6923), and would encode ids that are longer than a line, which tears conversations apart.
    """
    headers = _headers(request.key, settings, named(request.parent_author.display_name, to), _subject(request), now)
    if parent := parent_message_id(request):
        references = [each for each in _list(request.parent_raw, "references") if each != parent and _is_id(each)]
        headers["In-Reply-To"] = f"<{parent}>"
        headers["References"] = _FOLD.join(f"<{each}>" for each in [*references[:1], *references[1:][-8:], parent])
    if request.automatic:
        headers["Auto-Submitted"] = "auto-replied"
    return _written(headers, request.language) + _body(request.text, request.media).as_bytes()


def build_first(request: MessageRequest, settings: Settings, to: str, now: datetime) -> bytes:
    """The mail that begins a conversation: as `build`, with nothing that it answers."""
    headers = _headers(request.key, settings, named(request.to.display_name, to), one_line(request.subject)[:300], now)
    return _written(headers, request.language) + _body(request.text).as_bytes()


def _headers(key: str, settings: Settings, to: str, subject: str, now: datetime) -> dict[str, str]:
    return {
        "From": named(settings.name, settings.address),
        "To": to,
        "Subject": words(subject),
        "Date": format_datetime(now),
        "Message-ID": f"<{our_message_id(key, settings.address)}>",
    }


def _written(headers: dict[str, str], language: str | None) -> bytes:
    headers["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    if language and re.fullmatch(r"[a-z]{2,3}", language) and language != "und":
        headers["Content-Language"] = language
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")


def _body(text: str, media: Sequence[Attachment] = ()) -> EmailMessage:
    body = EmailMessage(policy=POLICY)
    body.set_content(clean(text), charset="utf-8", cte="quoted-printable")
    for picture in media:
        kind, _, form = picture.content_type.partition("/")
        name = re.sub(r"[^\w .-]", "_", one_line(picture.name))[:100]
        body.add_attachment(picture.data, maintype=kind, subtype=form, filename=name, disposition="attachment")
        list(body.iter_attachments())[-1]["Content-Description"] = one_line(picture.alt).replace("=?", "= ?")
    return body


def words(text: str) -> str:
    """The text as a header's value: as it is where it is plain, else in encoded words (RFC 2047)."""
    return text if text.isascii() and text.isprintable() and "=?" not in text else _encoded(text)


def _encoded(text: str) -> str:
    pieces = [""]
    for char in text:
        if len((pieces[-1] + char).encode("utf-8", "replace")) > _WORD_BYTES:
            pieces.append("")
        pieces[-1] += char
    coded = (base64.b64encode(piece.encode("utf-8", "replace")).decode("ascii") for piece in pieces)
    return _FOLD.join(f"=?utf-8?b?{word}?=" for word in coded)


def named(name: str, address: str) -> str:
    """The address as a header's value, a name before it where there is one."""
    name = one_line(name)[:100]
    plain = re.fullmatch(r"[A-Za-z0-9 ]*", name)
    return f"{name if plain else _encoded(name)} <{address}>" if name else address


def _is_id(text: str) -> bool:
    return text.isascii() and text.isprintable() and not re.search(r"[<>\s]", text)


def parent_message_id(request: ReplyRequest) -> str:
    """The Message-ID of the mail that is answered; empty where it had none."""
    told = request.parent_raw.get("message_id")
    own = told if isinstance(told, str) else request.parent_id.rpartition("/")[0] or request.parent_id
    return own if _is_id(own) and own and not own.endswith(f"@{NO_MESSAGE_ID}") else ""


def hand_over(settings: Settings, to: str | Sequence[str], mail: bytes) -> tuple[NetworkError, ...]:
    """Sends the mail, once. When this raises anything but OutcomeUnknown, it was not sent.

    Gives why it goes not to some of several addresses; raises that of the first where it goes to none.
    """
    everybody = (to,) if isinstance(to, str) else tuple(to)
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", mail)
    lines = re.sub(rb"(?m)^\.", b"..", lines if lines.endswith(b"\r\n") else lines + b"\r\n")
    with sending(settings) as client:
        try:
            refused = _offer(client, settings, everybody, len(lines))
            client.send(lines)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise of_smtp(error, settings) from error
        try:
            client.send(b".\r\n")
            code, said = client.getreply()
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise OutcomeUnknown(
                f"{settings.smtp_host} was given the whole mail and broke off before it said whether it took it"
            ) from error
        if 400 <= code < 600:
            raise of_reply(code, said, settings)
        if not 200 <= code < 300:
            raise OutcomeUnknown(
                f"{settings.smtp_host} was given the whole mail and answered something that is no answer"
            )
        with suppress(smtplib.SMTPException, OSError, ValueError):
            client.quit()
    return refused


def _offer(client: smtplib.SMTP, settings: Settings, everybody: Sequence[str], size: int) -> tuple[NetworkError, ...]:
    """Everything up to the point where the server wants to hear the mail itself; gives the recipients it refused."""
    most = client.esmtp_features.get("size", "")
    if most.isdecimal() and 0 < int(most) < size:
        raise Rejected(f"The answer has {size} bytes, and {settings.smtp_host} takes {most}")
    options = [f"size={size}"] if "size" in client.esmtp_features else []
    _expect(client.mail(settings.address, options), (250,), settings)
    answers = [client.rcpt(each) for each in everybody]
    refused = tuple(of_reply(*answer, settings) for answer in answers if answer[0] not in (250, 251))
    if len(refused) == len(everybody):
        raise refused[0]
    _expect(client.docmd("DATA"), (354,), settings)
    return refused


def _expect(answer: tuple[int, bytes], fine: Sequence[int], settings: Settings) -> None:
    if answer[0] not in fine:
        raise of_reply(*answer, settings)


def _subject(request: ReplyRequest) -> str:
    told = request.parent_raw.get("subject")
    subject = one_line(told)[:300] if isinstance(told, str) else ""
    subject = subject or _NO_SUBJECT.get(request.language or "", "your message")
    return subject if _MARKED.match(subject) else f"Re: {subject}"


def one_line(text: str) -> str:
    """The text without line ends and other signs that cannot be seen."""
    return " ".join(clean(text).split())


def _list(raw: Mapping[str, Any], name: str) -> Sequence[str]:
    value = raw.get(name)
    return (
        [each for each in value if isinstance(each, str) and len(each) <= LONGEST_ID] if isinstance(value, list) else []
    )

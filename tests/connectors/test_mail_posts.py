"""Mails as posts: whose they are, to which conversation they belong, whether a machine wrote them; and our answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.mail_posts import Mail, addresses, ids, to_post
from connectors.mail_sending import build, our_message_id, parent_message_id, recipient
from connectors.mail_settings import ADDRESS, Settings
from connectors.mail_text import file_name, parse, payload_of, read_body, words
from connectors.mail_text import headers as headers_of
from listener.errors import Rejected
from listener.types import Attachment, Author, Post, PostKind, ReplyRequest, Visibility

OURS = "care@brand.example"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USUAL = {
    "From": "Ana Pérez <Ana.Perez@People.example>",
    "To": OURS,
    "Subject": "Sin señal",
    "Date": "Sun, 22 Nov 2026 11:58:00 +0000",
    "Message-ID": "<m1@people.example>",
}


def raw(text: str = "No tengo señal.", **changes: str | None) -> bytes:
    """A usual mail with headers changed, added (`List_Id`) or left out (None)."""
    headers = USUAL | {name.replace("_", "-"): value for name, value in changes.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    kind = "" if "Content-Type" in headers else "Content-Type: text/plain; charset=utf-8\r\n"
    return f"{head}{kind}\r\n{text}".encode()


def post_of(data: bytes, **more: Any) -> Post:
    mail = Mail(**{"uid": 7, "data": data, "size": len(data), "arrived_at": NOW} | more)
    return to_post(mail, ours=OURS, folder="INBOX")


# --- what is there --------------------------------------------------------------------------------------------------


def test_a_mail_is_a_message_to_us_alone() -> None:
    post = post_of(raw())
    assert post.text == "Sin señal\n\nNo tengo señal."
    assert (post.kind, post.visibility, post.unanswerable) == (PostKind.DIRECT, Visibility.DIRECT, "")
    assert post.author == Author(
        external_id="ana.perez@people.example", handle="Ana.Perez@people.example", display_name="Ana Pérez"
    )
    assert post.posted_at == datetime(2026, 11, 22, 11, 58, tzinfo=UTC)
    assert post.thread_id == "m1@people.example"
    assert post.raw["message_id"] == "m1@people.example"
    assert "No tengo" not in str(post.raw), "the body is kept once"


@pytest.mark.parametrize(
    ("date", "posted_at"),
    [
        ("Sun, 22 Nov 2026 08:58:00 -0300", NOW - timedelta(minutes=2)),
        ("Sun, 22 Nov 2026 11:58:00", NOW - timedelta(minutes=2)),
        ("Mon, 01 Jan 2035 00:00:00 +0000", NOW),
        ("Thu, 01 Jan 1970 00:00:00 +0000", NOW),
        ("ayer", NOW),
        (None, NOW),
    ],
)
def test_the_time_is_the_senders_where_it_can_be(date: str | None, posted_at: datetime) -> None:
    assert post_of(raw(Date=date)).posted_at == posted_at


@pytest.mark.parametrize(
    ("subject", "references", "text"),
    [
        ("Sin señal", None, "Sin señal\n\nHola"),
        ("Re: Sin señal", None, "Re: Sin señal\n\nHola"),
        ("Re: Sin señal", "<a@x.example>", "Hola"),
        ("RV: RE: Sin señal", "<a@x.example>", "Hola"),
        ("Otra cosa", "<a@x.example>", "Otra cosa\n\nHola"),
        ("=?utf-8?q?Sin_se=C3=B1al?=", None, "Sin señal\n\nHola"),
        (None, None, "Hola"),
    ],
)
def test_the_subject_stands_first_unless_it_only_repeats(subject: str | None, references: str, text: str) -> None:
    assert post_of(raw("Hola", Subject=subject, References=references)).text == text


def test_what_the_mail_repeats_is_kept_apart() -> None:
    post = post_of(raw("Sigue igual.\n\nEl lun, 16 nov 2026, Marca <care@brand.example> escribió:\n> Hola\n"))
    assert post.text == "Sin señal\n\nSigue igual."
    assert post.quoted.endswith("escribió:\n> Hola")


def test_a_mail_that_only_forwards_another_is_read() -> None:
    made = EmailMessage()
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "beto@otro.example", "viejo"
    inner.set_content("Lo de siempre")
    made["From"], made["Subject"] = "ana@people.example", "Fwd: viejo"
    made.add_attachment(inner)
    assert "Lo de siempre" in post_of(made.as_bytes()).text


def test_attachments_are_told_by_name_type_and_size() -> None:
    made = EmailMessage()
    made["From"] = "ana@people.example"
    made.set_content("Adjunto")
    made.add_attachment(b"x" * 34_000, maintype="application", subtype="pdf", filename="factura.pdf")
    made.add_attachment(b"x", maintype="image", subtype="png", filename="foto.png")
    told = [(media.kind, media.url, media.alt) for media in post_of(made.as_bytes()).media]
    assert told == [
        ("file", "", "factura.pdf (application/pdf, 33 KB)"),
        ("image", "", "foto.png (image/png, 1 bytes)"),
    ]


# --- which mail it is -----------------------------------------------------------------------------------------------


def test_the_same_mail_is_the_same_wherever_it_is_read() -> None:
    assert post_of(raw()).external_id == post_of(raw(), uid=99, arrived_at=NOW + timedelta(days=1)).external_id


@pytest.mark.parametrize(
    "changes", [{"From": "mallory@evil.example"}, {"Date": "Sun, 22 Nov 2026 11:59:00 +0000"}], ids=["who", "when"]
)
def test_a_message_id_used_twice_hides_nobodys_mail(changes: dict[str, str]) -> None:
    assert post_of(raw()).external_id != post_of(raw(**changes)).external_id


@pytest.mark.parametrize("message_id", [None, "", "<>", "no id at all", f"<{'x' * 400}@a.example>"])
def test_a_mail_without_an_id_gets_one_of_its_own(message_id: str | None) -> None:
    one, same = (post_of(raw(Message_ID=message_id)) for _ in range(2))
    other = post_of(raw("Otra cosa.", Message_ID=message_id))
    assert one.external_id == same.external_id == one.thread_id
    assert one.external_id != other.external_id


def test_our_own_mail_coming_back_is_known_by_the_id_we_gave_it() -> None:
    own = our_message_id("draft-1", OURS)
    post = post_of(raw(From=f"Marca <{OURS.upper()}>", Message_ID=f"<{own}>"))
    assert post.external_id == own
    assert post.author.external_id == OURS


@pytest.mark.parametrize(
    ("in_reply_to", "references", "parent", "thread"),
    [
        (None, None, None, "m1@people.example"),
        ("<b@x.example>", "<a@x.example> <b@x.example>", "b@x.example", "a@x.example"),
        ("<b@x.example>", None, "b@x.example", "b@x.example"),
        (None, "<a@x.example>\r\n <b@x.example>", "b@x.example", "a@x.example"),
        ("b@x.example", None, "b@x.example", "b@x.example"),
        ("nada", "nada", None, "m1@people.example"),
    ],
)
def test_the_conversation_is_known_by_its_first_reference(
    in_reply_to: str | None, references: str | None, parent: str | None, thread: str
) -> None:
    post = post_of(raw(In_Reply_To=in_reply_to, References=references))
    assert (post.parent_id, post.thread_id) == (parent, thread)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("<a@b> <c@d>", ["a@b", "c@d"]),
        ("<a@b><a@b>", ["a@b"]),
        ("< a@b >", ["a@b"]),
        ("a@b, c@d", ["a@b", "c@d"]),
        ("<" * 50_000, []),
        ("", []),
    ],
)
def test_ids_are_found_in_what_programs_write(value: str, found: list[str]) -> None:
    assert ids(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Ana <ana@x.example>", [("Ana", "ana@x.example")]),
        ('"Pérez, Ana" <ana@X.example>, beto@y.example', [("Pérez, Ana", "ana@x.example"), ("", "beto@y.example")]),
        ("=?utf-8?q?Ana_P=C3=A9rez?= <ana@x.example>", [("Ana Pérez", "ana@x.example")]),
        ("ana", []),
        ("<@>", []),
        ("ana@x.example\x00", [("", "ana@x.example")]),
        ("(" * 10_000 + " ana@x.example", []),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_addresses_are_found_in_what_programs_write(value: str, found: list[tuple[str, str]]) -> None:
    mail = parse(f"From: {value}\r\n\r\n".encode())
    assert addresses(headers_of(mail, "From")) == found


# --- machines -------------------------------------------------------------------------------------------------------

MACHINES = {
    "auto-generated": {"Auto-Submitted": "auto-generated"},
    "bulk": {"Precedence": "bulk"},
    "list": {"Precedence": "list"},
    "junk": {"Precedence": "Junk"},
    "list id": {"List-Id": "<news.shop.example>"},
    "unsubscribe": {"List-Unsubscribe": "<mailto:x@shop.example>"},
    "no return path": {"Return-Path": "<>"},
    "noreply": {"From": "noreply@shop.example"},
    "no-reply": {"From": "Shop <no-reply+17@shop.example>"},
    "no-responder": {"From": "no-responder@shop.example"},
    "mailer-daemon": {"From": "MAILER-DAEMON@mx.example"},
    "postmaster": {"From": "postmaster@mx.example"},
    "owner": {"From": "owner-list@lists.example"},
    "report": {"Content-Type": "multipart/report; boundary=x"},
}
ABSENT = {
    "auto-replied": {"Auto-Submitted": "auto-replied"},
    "auto-replied vacation": {"Auto-Submitted": "auto-replied (vacation)", "Return-Path": "<>"},
    "auto_reply": {"Precedence": "auto_reply"},
    "autoreply": {"X-Autoreply": "yes"},
    "autorespond": {"X-Autorespond": "ausente"},
    "suppress": {"X-Auto-Response-Suppress": "All"},
    "out of office": {"Subject": "Automatic reply: Sin señal"},
    "fuera de la oficina": {"Subject": "Fuera de la oficina Re: Sin señal"},
    "respuesta automática": {"Subject": "=?utf-8?q?Respuesta_autom=C3=A1tica=3A_x?="},
}
PEOPLE = {
    "usual": {},
    "auto no": {"Auto-Submitted": "no"},
    "normal precedence": {"Precedence": "normal"},
    "suppresses receipts": {"X-Auto-Response-Suppress": "DR, RN, NRN"},
    "return path": {"Return-Path": "<ana@people.example>"},
    "name like a machine": {"From": "Noreply Pérez <n.perez@people.example>"},
    "about answers": {"Subject": "Vuestra respuesta automática no me sirve"},
    "alert in name": {"From": "alerta.maria@people.example"},
}


@pytest.mark.parametrize("headers", list(MACHINES.values()), ids=list(MACHINES))
def test_a_machine_is_known_and_never_answered(headers: dict[str, str]) -> None:
    post = post_of(raw(**headers))
    assert post.unanswerable == "automatic mail"
    assert post.author.bot


@pytest.mark.parametrize("headers", list(ABSENT.values()), ids=list(ABSENT))
def test_an_answer_that_a_person_left_behind_is_not_answered_but_the_person_is_no_machine(
    headers: dict[str, str],
) -> None:
    post = post_of(raw(**headers))
    assert post.unanswerable == "automatic mail"
    assert not post.author.bot


@pytest.mark.parametrize("headers", list(PEOPLE.values()), ids=list(PEOPLE))
def test_people_are_answered(headers: dict[str, str]) -> None:
    post = post_of(raw(**headers))
    assert post.unanswerable == ""
    assert not post.author.bot


@pytest.mark.parametrize("sender", [None, "", "undisclosed", "<>"])
def test_a_mail_without_a_sender_is_kept_and_not_answered(sender: str | None) -> None:
    post = post_of(raw(From=sender))
    assert post.unanswerable == "it has no sender"
    with pytest.raises(Rejected):
        recipient(request_to(post), SETTINGS)


@pytest.mark.parametrize("message_id", ["<b@people.example>", None])
def test_mails_without_a_sender_are_not_taken_for_one_persons(message_id: str | None) -> None:
    first, second = post_of(raw(From=None)), post_of(raw("Otra cosa.", From=None, Message_ID=message_id))
    assert first.author.external_id != second.author.external_id
    assert first.author.handle != second.author.handle
    assert first.author == post_of(raw(From=None)).author, "the same each time it is read"
    assert "@" not in first.author.external_id, "nobody's address can be the same"


BOUNCE = f"""--x
Content-Type: text/plain

Your mail could not be delivered to ana@people.example.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ana@people.example
Status: 5.1.1
--x
Content-Type: text/rfc822-headers

From: Marca <{OURS}>
To: ana@people.example
Message-ID: <draft-1@brand.example>
--x--
"""


def test_a_mail_of_ours_that_bounced_is_shown_to_people_in_its_conversation() -> None:
    kind = "multipart/report; report-type=delivery-status; boundary=x"
    bounced = raw(BOUNCE, From="MAILER-DAEMON@mx.example", Content_Type=kind, Subject="Undelivered Mail")
    post = post_of(bounced)
    assert post.parent_id == "draft-1@brand.example"
    assert post.unanswerable == "automatic mail"
    assert not post.author.bot, "no policy may ignore it as an automatic account"
    assert "could not be delivered" in post.text
    assert "5.1.1" in post.text


def test_what_is_no_mail_is_refused() -> None:
    with pytest.raises(ValueError, match="no headers"):
        post_of(b"\r\n\r\nhola")


# --- our answers ----------------------------------------------------------------------------------------------------

SETTINGS = Settings(address=OURS, name="Marca Ñandú", imap_host="imap.brand.example", password=SecretStr("secret"))


def request_to(post: Post, **more: Any) -> ReplyRequest:
    given: dict[str, Any] = {
        "key": "a1b2c3",
        "parent_id": post.external_id,
        "parent_author": post.author,
        "parent_visibility": post.visibility,
        "text": "Lo miramos.",
        "language": "es",
        "parent_raw": post.raw,
    }
    return ReplyRequest(**given | more)


@pytest.mark.parametrize(
    ("headers", "to"),
    [
        ({}, "Ana.Perez@people.example"),
        ({"Reply-To": "ana.perez@people.example"}, "Ana.Perez@people.example"),
        ({"Reply-To": "eva@people.example"}, "Ana.Perez@people.example"),
        ({"From": "victim@gmail.com", "Reply-To": "attacker@gmail.com"}, "victim@gmail.com"),
        ({"From": "ana@strasse.example", "Reply-To": "ana@straße.example"}, "ana@strasse.example"),
        ({"Reply-To": "ana@evil.example"}, "Ana.Perez@people.example"),
        ({"Reply-To": "a@people.example, b@people.example"}, "Ana.Perez@people.example"),
        ({"Reply-To": f"<{OURS}>"}, "Ana.Perez@people.example"),
        ({"Reply-To": "nada"}, "Ana.Perez@people.example"),
        ({"Reply-To": "ana@people.example\r\nBcc: all@people.example"}, "Ana.Perez@people.example"),
        ({"From": "ana@ñandú.example"}, "ana@xn--and-6ma2c.example"),
    ],
)
def test_an_answer_goes_to_the_sender_and_to_nobody_else(headers: dict[str, str], to: str) -> None:
    request = request_to(post_of(raw(**headers)))
    address = recipient(request, SETTINGS)
    assert address == to
    mail = parse(build(request, SETTINGS, address, NOW))
    assert [each for _, each in addresses(headers_of(mail, "To"))] == [to]
    assert not mail["Cc"]
    assert not mail["Bcc"]


@pytest.mark.parametrize(
    "headers",
    [
        {"From": OURS},
        {"From": "noreply@people.example"},
        {"Reply-To": "noreply@people.example"},
        {"From": "ñandú@people.example"},
        {"From": "ana@"},
    ],
)
def test_nobody_is_written_to_who_must_not_be(headers: dict[str, str]) -> None:
    with pytest.raises(Rejected):
        recipient(request_to(post_of(raw(**headers))), SETTINGS)


def test_an_answer_stands_in_its_conversation() -> None:
    post = post_of(raw(References="<a@x.example> <b@x.example>", Subject="=?utf-8?q?Aver=C3=ADa?="))
    written = build(request_to(post), SETTINGS, "ana@people.example", NOW)
    mail = parse(written)
    assert mail["Message-ID"] == "<a1b2c3@brand.example>"
    assert mail["In-Reply-To"] == "<m1@people.example>"
    assert ids(mail["References"]) == ["a@x.example", "b@x.example", "m1@people.example"]
    assert words(mail["Subject"]) == "Re: Avería"
    assert words(mail["From"]) == "Marca Ñandú <care@brand.example>"
    assert mail["Auto-Submitted"] is None
    assert read_body(mail).text == "Lo miramos."
    assert post_of(written).thread_id == "a@x.example"


def test_long_references_stay_readable() -> None:
    long = " ".join(f"<{'x' * 80}{n}@people.example>" for n in range(40))
    post = post_of(raw(References=long))
    written = build(request_to(post), SETTINGS, "ana@people.example", NOW)
    assert all(len(line) < 998 for line in written.split(b"\r\n"))
    again = post_of(written)
    assert again.thread_id == f"{'x' * 80}0@people.example"
    assert again.parent_id == "m1@people.example"


@pytest.mark.parametrize("key", ["a1b2", "draft 1", "ñ", "a>b\r\nBcc: x", "x" * 64])
def test_the_same_key_gives_the_same_id_and_never_a_broken_one(key: str) -> None:
    own = our_message_id(key, OURS)
    assert own == our_message_id(key, OURS)
    assert ids(f"<{own}>") == [own]


@pytest.mark.parametrize(
    "subject", ["x\r\nBcc: all@people.example", "x\nTo: y", "\x00", "a" * 2000, "Ñ" * 500, "=?utf-8?q?a=0D=0ABcc:_b?="]
)
def test_no_subject_and_no_name_smuggles_a_header_in(subject: str) -> None:
    post = post_of(raw(Subject=subject, From=f'"{subject}" <ana@people.example>'))
    raw_subject = dict(post.raw) | {"subject": subject}
    author = Author(external_id="ana@people.example", handle="ana@people.example", display_name=subject)
    read = parse(build(request_to(post, parent_raw=raw_subject, parent_author=author), SETTINGS, "a@b.example", NOW))
    assert "Bcc" not in read
    assert len(read.get_all("To") or []) == 1


def test_an_answer_is_sent_to_a_mail_of_which_little_is_known() -> None:
    author = Author(external_id="ana@people.example", handle="ana@people.example")
    known = post_of(raw())
    bare = request_to(known, parent_raw={}, parent_author=author)
    assert parent_message_id(bare) == "m1@people.example"
    assert parse(build(bare, SETTINGS, "ana@people.example", NOW))["Subject"] == "Re: su mensaje"
    nameless = post_of(raw(Message_ID=None))
    assert parse(build(request_to(nameless), SETTINGS, "ana@people.example", NOW))["In-Reply-To"] is None


def test_an_answer_may_carry_pictures_with_their_descriptions() -> None:
    picture = Attachment(name="mapa.png", content_type="image/png", data=b"\x89PNG" * 20, alt="Mapa de la\navería")
    mail = build(request_to(post_of(raw()), media=(picture,)), SETTINGS, "ana@people.example", NOW)
    text, attached = parse(mail).get_payload()
    assert payload_of(text).decode().strip() == "Lo miramos."
    assert file_name(attached) == "mapa.png"
    assert words(attached["Content-Description"]) == "Mapa de la avería"
    assert payload_of(attached) == b"\x89PNG" * 20


@pytest.mark.timeout(60)  # what takes until the sun has gone out where time doubles with each letter
@pytest.mark.parametrize("domain", ["a" * 253 + "!", "a." * 120 + "!", "a-" * 120 + "!", "-" * 200])
def test_whether_something_is_an_address_is_soon_said(domain: str) -> None:
    assert not ADDRESS.fullmatch(f"ana@{domain}")


@pytest.mark.parametrize(
    "domain", ["a.example", "localhost", "xn--maana-pta.example", "a-b.c--d.example", "1.2.example"]
)
def test_an_address_is_known_as_one(domain: str) -> None:
    assert ADDRESS.fullmatch(f"ana.b+c@{domain}")

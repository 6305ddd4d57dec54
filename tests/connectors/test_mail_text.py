"""What a mail says, in all the forms in which programs write it; and what it only repeats."""

from __future__ import annotations

import base64
import struct
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import mail_tnef
from connectors.mail_html import html_to_text
from connectors.mail_quotes import split
from connectors.mail_text import (
    Body,
    decode,
    file_name,
    header,
    parse,
    read_body,
    words,
)
from connectors.plain import clean


def body(raw: str | bytes) -> Body:
    """The body of a mail written out here, its lines ended as on the wire."""
    data = raw.encode("utf-8") if isinstance(raw, str) else raw
    return read_body(parse(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")))


# --- charsets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("señal".encode(), "utf-8", "señal"),
        ("señal".encode(), "UTF8", "señal"),
        ("señal".encode("cp1252"), "iso-8859-1", "señal"),
        ("precio: 5 €".encode("cp1252"), "iso-8859-1", "precio: 5 €"),
        ("precio: 5 €".encode("iso-8859-15"), "ISO-8859-15", "precio: 5 €"),
        ("señal".encode(), "iso-8859-1", "señal"),
        ("señal".encode("cp1252"), "utf-8", "señal"),
        ("señal".encode("cp1252"), "us-ascii", "señal"),
        ("señal".encode(), "", "señal"),
        ("señal".encode("cp1252"), "", "señal"),
        ("привет".encode("koi8-r"), "koi8-r", "привет"),
        ("你好".encode("gbk"), "gb2312", "你好"),
        ("안녕".encode("cp949"), "ks_c_5601-1987", "안녕"),
        ("hola".encode("utf-16"), "utf-16", "hola"),
        (b"hola", "x-nothing-like-it", "hola"),
        (b"hola", "idna", "hola"),
        (b"hola", "hex", "hola"),
        (b"hola", "a" * 5000, "hola"),
        (b"hola", "utf-8\x00", "hola"),
        (b"ho\xffla\x81", "utf-8", "hoÿla�"),
    ],
)
def test_bytes_are_read_in_the_charset_that_fits(data: bytes, charset: str, text: str) -> None:
    assert decode(data, charset) == text


@given(st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_in_any_charset_are_some_text(data: bytes, charset: str) -> None:
    clean(decode(data, charset)).encode("utf-8")


# --- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?se=C3=B1al?=", "señal"),
        ("=?UTF-8?B?c2XDsWFs?=", "señal"),
        ("=?iso-8859-1?Q?se=F1al_aqu=ED?=", "señal aquí"),
        ("=?utf-8?b?c2XD?= =?utf-8?b?sWFs?=", "señal"),
        ("=?utf-8?q?uno?= =?utf-8?q?_dos?=", "uno dos"),
        ("antes =?utf-8?q?en?= después", "antes en después"),
        ("=?utf-8*es?q?hola?=", "hola"),
        ("=?utf-8?b?aG9sYQ?=", "hola"),
        ("=?utf-8?b?!!!!?=", ""),
        ("=?nothing?q?hola?=", "hola"),
        ("=?utf-8?q?sin fin", "=?utf-8?q?sin fin"),
        ("=?utf-8?q?a=0Ab?=", "a b"),
        ("=?utf-8?q?a=00b?=", "ab"),
        ("=?utf-8?q?con espacio?=", "con espacio"),
        ("a\tb", "a b"),
    ],
)
def test_encoded_words_are_read(written: str, read: str) -> None:
    assert words(written) == read


@pytest.mark.parametrize("charset", ["utf-8", "cp1252"])
def test_a_header_in_raw_eight_bit_text_is_read(charset: str) -> None:
    mail = parse(b"Subject: " + "avería aquí".encode(charset) + b"\r\n\r\n")
    assert words(header(mail, "Subject")) == "avería aquí"


def test_a_folded_header_is_one_line_and_an_empty_one_is_passed_over() -> None:
    mail = parse(b"Subject:\r\nSubject: uno\r\n dos\r\n\ttres\r\n\r\n")
    assert words(header(mail, "subject")) == "uno dos tres"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('Content-Disposition: attachment; filename="factura.pdf"', "factura.pdf"),
        ("Content-Disposition: attachment; filename*=utf-8''factura%20a%C3%B1o.pdf", "factura año.pdf"),
        ("Content-Disposition: attachment; filename*0*=utf-8''a%C3%B1o; filename*1*=%20dos.pdf", "año dos.pdf"),
        ('Content-Disposition: attachment; filename*0="fac"; filename*1="tura.pdf"', "factura.pdf"),
        ('Content-Disposition: attachment; filename="=?utf-8?q?a=C3=B1o=2Epdf?="', "año.pdf"),
        ("Content-Type: image/png; name=foto.png", "foto.png"),
        ("Content-Disposition: attachment; filename*=nothing''x%FF.pdf", "xÿ.pdf"),
        ('Content-Disposition: attachment; filename="../../etc/passwd"', "passwd"),
        ('Content-Disposition: attachment; filename="C:\\\\Users\\\\ana\\\\f.pdf"', "f.pdf"),
        ("Content-Disposition: attachment; filename*1=x; filename*=", ""),
        ("Content-Disposition: attachment", ""),
    ],
)
def test_the_name_of_a_file_is_read_in_every_form(written: str, name: str) -> None:
    assert file_name(parse(written.encode() + b"\r\n\r\n")) == name


# --- MIME -----------------------------------------------------------------------------------------------------------


def test_a_mail_of_html_alone_is_read() -> None:
    found = body("Content-Type: text/html; charset=utf-8\n\n<p>No tengo <b>señal</b></p><p>desde ayer</p>")
    assert found.text == "No tengo señal\n\ndesde ayer"


@pytest.mark.parametrize(("plain", "text"), [("texto llano", "texto llano"), ("  \n", "texto rico")])
def test_of_alternatives_the_plain_one_is_read_unless_it_is_empty(plain: str, text: str) -> None:
    made = EmailMessage()
    made.set_content(plain)
    made.add_alternative("<p>texto rico</p>", subtype="html")
    assert read_body(parse(made.as_bytes())).text == text


def test_files_are_told_of_and_not_read() -> None:
    made = EmailMessage()
    made.set_content("Adjunto la factura.")
    made.add_attachment(b"%PDF" * 100, maintype="application", subtype="pdf", filename="factura año.pdf")
    made.add_attachment("secreto", filename="notas.txt")
    found = read_body(parse(made.as_bytes()))
    assert found.text == "Adjunto la factura."
    assert [(file.name, file.content_type, file.size) for file in found.files] == [
        ("factura año.pdf", "application/pdf", 400),
        ("notas.txt", "text/plain", 8),
    ]


def test_text_around_a_picture_is_read_whole() -> None:
    raw = (
        "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\nAntes\n--x\n"
        "Content-Type: image/jpeg; name=f.jpg\nContent-Transfer-Encoding: base64\n\nAAAA\n--x\n"
        "Content-Type: text/plain\n\nDespués\n--x--\n"
    )
    found = body(raw)
    assert found.text == "Antes\n\nDespués"
    assert [file.name for file in found.files] == ["f.jpg"]


def test_a_mail_inside_a_mail_is_kept_apart_with_its_head() -> None:
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "beto@otro.example", "viejo"
    inner.set_content("Lo de siempre")
    made = EmailMessage()
    made.set_content("Mirad lo que me escriben:")
    made.add_attachment(inner)
    found = read_body(parse(made.as_bytes()))
    assert found.text == "Mirad lo que me escriben:"
    assert found.attached == ["From: beto@otro.example\nSubject: viejo\n\nLo de siempre"]


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "\n\n",
        "Content-Type: multipart/mixed\n\nsin frontera",
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\n--x\n--x",
        "Content-Type: multipart/mixed; boundary=x\n\nprólogo sin partes",
        "Content-Type: text/plain; charset=\n\nhola",
        "Content-Type: text/plain; charset*=utf-8''%FF\n\nhola",
        "Content-Type: /;;;=\n\nhola",
        "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n¡esto no es base64!",
        "Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 x\nrubbish",
        "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=ZZ=\n=",
        "Content-Type: message/rfc822\n\n",
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nAAAA",
        "Content-Type: message/delivery-status\n\n",
        "Content-Type: application/ms-tnef\n\nnothing",
        "Content-Type: text/html\n\n<<<>>><![CDATA[<!DOCTYPE",
        "Content-Type: text/html\n\n<!--" * 50,
    ],
)
def test_a_broken_mail_is_read_as_far_as_it_goes(raw: str) -> None:
    found = body(raw)
    assert "\x00" not in found.text


@given(st.binary(max_size=400))
def test_any_bytes_are_some_mail(data: bytes) -> None:
    found = read_body(parse(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + data))
    found.text.encode("utf-8")


def test_a_mail_as_deep_as_a_well_ends() -> None:
    raw = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(150))
    assert body(raw + "Content-Type: text/plain\n\nfondo").text == ""


def test_soft_line_ends_are_undone() -> None:
    raw = "Content-Type: text/plain; format=flowed\n\nUna frase \nlarga.\n> citada \n> también\n-- \nAna\n"
    assert body(raw).text == "Una frase larga.\n> citada también\n-- \nAna"


def test_soft_line_ends_within_words_are_undone() -> None:
    raw = "Content-Type: text/plain; format=flowed; delsp=yes\n\n你 \n好\n"
    assert body(raw).text == "你好"


# --- HTML -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<div>uno</div><div>dos<br>tres</div>", "uno\n\ndos\ntres"),
        ("<ul><li>uno<li>dos</ul>", "- uno\n- dos"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<style>p{color:red}</style><p>hola</p><script>x()</script>", "hola"),
        ('<div style="display: none">oculto</div><p>visto</p>', "visto"),
        ("hola&nbsp;&amp; adi&oacute;s &#128075;", "hola & adiós 👋"),
        ('<a href="https://brand.example/x">aquí</a>', "aquí (https://brand.example/x)"),
        ('<a href="https://brand.example/x">https://brand.example/x</a>', "https://brand.example/x"),
        ('<a href="https://www.brand.example/">brand.example</a>', "brand.example"),
        ('<a href="javascript:alert(1)">aquí</a>', "aquí"),
        ('<img src="x" alt="una foto">', "una foto"),
        ("Sí<blockquote>citado<br>dos</blockquote>después", "Sí\n\n> citado\n> dos\ndespués"),
        (
            'Sí<div class="gmail_quote">El lun escribió:<blockquote>x</blockquote></div>',
            "Sí\n\n> El lun escribió:\n>\n> > x",
        ),
        ("<pre>a\n  b</pre>", "a\nb"),
        ("<p>sin cerrar <b>nada", "sin cerrar nada"),
        ("</div></p>hola", "hola"),
        ("a < b y c > d", "a < b y c > d"),
    ],
)
def test_html_is_read_as_a_person_would(html: str, text: str) -> None:
    squeezed = [line for line in html_to_text(html).split("\n") if line.strip("> ")]
    assert squeezed == [line for line in text.split("\n") if line.strip("> ")]


def test_no_control_character_comes_out_of_html() -> None:
    assert body("Content-Type: text/html\n\na&#27;[31mb&#2;c").text == "a[31mbc"


@pytest.mark.timeout(60)  # what takes hours where time grows with the square of the length
@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 30_000,
        "<a href=x>" * 20_000,
        "<!--" * 40_000,
        "<!x" * 40_000,
        "<?x" * 40_000,
        "<a " * 40_000,
        "<" * 100_000,
        "&" * 100_000,
        "</b>" * 50_000,
        "</b " * 50_000,
        "<script>" * 20_000,
    ],
)
def test_hostile_html_takes_no_time_to_speak_of(html: str) -> None:
    html_to_text(html)


# --- winmail.dat ----------------------------------------------------------------------------------------------------


def attribute(level: int, number: int, kind: int, value: bytes) -> bytes:
    """One attribute of a TNEF envelope."""
    head = struct.pack("<BHHI", level, number, kind, len(value))
    return head + value + struct.pack("<H", sum(value) & 0xFFFF)


def mapi(*properties: bytes) -> bytes:
    return struct.pack("<I", len(properties)) + b"".join(properties)


def text_property(name: int, value: str) -> bytes:
    data = value.encode("utf-16-le") + b"\0\0"
    return struct.pack("<HHII", 0x1F, name, 1, len(data)) + data + b"\0" * (-len(data) % 4)


HEAD = struct.pack("<IH", 0x223E9F78, 1) + attribute(1, 0x9007, 6, struct.pack("<II", 1252, 0))
FILE = attribute(2, 0x9002, 6, b"\0" * 14) + attribute(2, 0x8010, 1, b"FACTUR~1.PDF\0")


def test_an_envelope_of_outlook_is_opened() -> None:
    data = HEAD + attribute(1, 0x9003, 6, mapi(text_property(0x1000, "No tengo señal")))
    data += FILE + attribute(2, 0x800F, 6, b"%PDF" * 50)
    data += attribute(2, 0x9005, 6, mapi(text_property(0x3707, "factura año.pdf")))
    raw = b"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n"
    found = body(raw + base64.encodebytes(data))
    assert found.text == "No tengo señal"
    assert [(file.name, file.size) for file in found.files] == [("factura año.pdf", 200)]


def test_an_envelope_without_text_leaves_the_mails_own() -> None:
    data = base64.encodebytes(HEAD + FILE).decode()
    raw = (
        "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\nHola\n--x\n"
        f"Content-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\n{data}\n--x--\n"
    )
    assert body(raw).text == "Hola"
    assert [file.name for file in body(raw).files] == ["FACTUR~1.PDF"]


@pytest.mark.parametrize(
    "bomb",
    [
        attribute(1, 0x9003, 6, struct.pack("<IHHI", 1, 0x1002, 0x1000, 0xFFFFFFFF)),
        attribute(1, 0x9003, 6, struct.pack("<I", 0xFFFFFFFF)),
        attribute(1, 0x9003, 6, struct.pack("<IHHI", 1, 0x001F, 0x1000, 0xFFFFFFFF)),
        attribute(1, 0x9004, 6, struct.pack("<I", 0xFFFFFFFF)),
        attribute(2, 0x9005, 6, struct.pack("<IHHI", 1, 0x1002, 0x1000, 0xFFFFFFFF)),
        attribute(1, 0x800C, 1, b"x") * 100_000,
        b"\xff" * 1000,
    ],
)
def test_an_envelope_that_claims_what_it_does_not_hold_does_no_harm(bomb: bytes) -> None:
    mail_tnef.read(HEAD + bomb)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_envelope_or_none(data: bytes) -> None:
    mail_tnef.read(HEAD + data)


# --- what is only repeated ------------------------------------------------------------------------------------------

GMAIL_ES = "El lun, 16 nov 2026 a las 10:00, Marca (<care@brand.example>) escribió:"
OUTLOOK_ES = (
    "De: Marca <care@brand.example>\nEnviado: lunes, 16 de noviembre de 2026 10:00\nPara: Ana\nAsunto: RE: avería"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"Sigue igual.\n\n{GMAIL_ES}\n\n> Hola Ana\n> ¿qué tal?", "Sigue igual."),
        ("Sigue igual.\n\nEl lun, 16 nov 2026, Marca Atención\n(<c@brand.example>) escribió:\n> Hola", "Sigue igual."),
        ("Sigue igual.\n\nEl 16/11/26 a las 10:00, Marca escribió:\nHola sin marcas", "Sigue igual."),
        (f"Sigue igual.\n\n{OUTLOOK_ES}\n\nHola Ana", "Sigue igual."),
        ("Sigue igual.\n\n*De:* Marca\n*Enviado el:* lunes\n*Para:* Ana\n*Asunto:* RE\n\nHola", "Sigue igual."),
        ("Still dead.\n\nOn Mon, Nov 16, 2026 at 10:00 AM Care <care@brand.example> wrote:\n> Hello", "Still dead."),
        ("Still dead.\n\nFrom: Care\nSent: Monday\nTo: Ana\nSubject: RE: x\n\nHello", "Still dead."),
        ("Still dead.\n\n-----Original Message-----\nFrom: Care\nHello", "Still dead."),
        ("Sigue igual.\n\n----- Mensaje original -----\nHola", "Sigue igual."),
        ("Geht nicht.\n\nAm 16.11.2026 um 10:00 schrieb Care <care@brand.example>:\n> Hallo", "Geht nicht."),
        ("Rien.\n\nLe lun. 16 nov. 2026 à 10:00, Care <care@brand.example> a écrit :\n> Bonjour", "Rien."),
        ("Niente.\n\nIl giorno lun 16 nov 2026 alle ore 10:00 Care <c@brand.example> ha scritto:\n> Ciao", "Niente."),
        ("Nada.\n\nEm seg., 16 de nov. de 2026 às 10:00, Marca <care@brand.example> escreveu:\n> Olá", "Nada."),
        (f"{GMAIL_ES}\n> ¿Su número?\n\n600 111 222", "600 111 222"),
        (f"{GMAIL_ES}\n> ¿Su número?\n600 111 222\n> ¿Su nombre?\nAna", "600 111 222\nAna"),
        ("No funciona.\n-- \nAna Pérez\nTel. 600 111 222", "No funciona."),
        ("No funciona.\n--\nAna Pérez", "No funciona."),
        ("No funciona.\n\nEnviado desde mi iPhone", "No funciona."),
        ("No funciona.\n\nEnviado desde Outlook para Android", "No funciona."),
        ("Dead.\n\nSent from my Galaxy", "Dead."),
        ("Dead.\n\nGet Outlook for iOS", "Dead."),
        ("No funciona.\n\nUn saludo,\nAna Pérez\n600 111 222", "No funciona."),
        ("Dead.\n\nBest regards,\nAna", "Dead."),
        ("No funciona.\n\nAVISO LEGAL: Este mensaje es confidencial y va dirigido a su destinatario.", "No funciona."),
        ("Dead.\n\nThis message may contain confidential information intended for its addressee only.\nMore.", "Dead."),
    ],
)  # fmt: skip
def test_what_is_repeated_is_cut_away_and_kept(text: str, said: str) -> None:
    own, repeated = split(text)
    assert own == said
    assert repeated
    for line in text.split("\n"):
        assert line.strip() in own or line.strip() in repeated, "nothing is lost"


@pytest.mark.parametrize(
    "text",
    [
        "Quiero cambiar mi vuelo.\nDe: Madrid\nPara: Bogotá\nFecha: 3 de mayo\nGracias",
        "Quiero:\n- un duplicado\n- la factura",
        "El técnico escribió: todo bien.\nY no es verdad.",
        "A las 10:30:\nsin luz",
        "Gracias,\npero mi contrato es el 1234 y sigue igual",
        "Saludos,\nAna",
        "Un saludo",
        "> todo\n> citado",
        "-----Original Message-----\nFrom: Care\nHello",
        "No he recibido nada. Enviado desde mi iPhone el lunes no llegó tampoco, y llevo así una semana entera.",
        "",
    ],
)
def test_a_persons_own_words_stay(text: str) -> None:
    assert split(text) == (text, "")


@given(st.text(alphabet="ab>:-\n El1@<", max_size=300))
def test_never_is_everything_cut_away(text: str) -> None:
    said, repeated = split(text)
    assert bool(said) == bool(text.strip())
    assert said or not repeated


@pytest.mark.timeout(60)  # what takes hours where time grows with the square of the length
@pytest.mark.parametrize(
    "line", ["On 1 " + "a " * 140 + ":", "Am 1 " + "schrieb " * 35 + ":", "Enviado desde " * 8, "De: a", "-- ", "1@:"]
)
def test_hostile_lines_take_no_time_to_speak_of(line: str) -> None:
    split("\n".join(["hola", *[line] * 20_000])[:100_000])


@pytest.mark.timeout(60)  # what takes hours where time grows with the square of the length
@pytest.mark.parametrize(
    "line",
    [
        *("--" + " " * 50_000 + "x", "*" * 50_000 + " x", "> *" * 30_000 + "x", "De" + " " * 50_000 + "x"),
        *("*_ " * 30_000 + "aviso", " " * 90_000 + "x", "begin forwarded message" + " " * 70_000 + "x"),
    ],
    ids=lambda line: line[:12],
)
def test_one_endless_line_takes_no_time_to_speak_of(line: str) -> None:
    for _ in range(10):
        assert split(f"hola\n{line}\n\n{line}")[0].startswith("hola")


@pytest.mark.parametrize(
    "line",
    [
        "-----  Mensaje   original\t-----",
        "  Begin forwarded   message:",
        "*De :*  Ana <ana@a.example>\n\nPara : b\nAsunto : c",
    ],
)
def test_blanks_hide_no_marker(line: str) -> None:
    assert split(f"hola\n\n{line}\nlo de antes")[0] == "hola"


def nested(depth: int) -> str:
    return "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(depth))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "raw",
    [
        *(f"{name}: text/plain" + ';"' * 200_000 + "\n\nhola" for name in ("Content-Type", "Content-Disposition")),
        "Content-Type: multipart/mixed" + ';a*0="' * 80_000 + "\n\nhola",
        nested(200) + "Content-Type: text/plain\n\n" + "x\n" * 250_000,
        nested(200).replace("Content-Type: ", "content-type:\n ") + "Content-Type: text/plain\n\n" + "x\n" * 250_000,
        "X: a\n" * 90_000 + "\nhola",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n" + "X: a\n" * 90_000 + "\nhola",
    ],
    ids=["type", "disposition", "boundary", "depth", "folded depth", "headers", "headers of a part"],
)
def test_a_hostile_mail_takes_no_time_to_speak_of(raw: str) -> None:
    for _ in range(3):
        body(raw)


def test_a_header_with_more_than_anybody_writes_is_cut_and_the_mail_is_read() -> None:
    found = parse(
        b"Content-Type: text/plain; charset=utf-8"
        + b";x=y" * 5_000
        + b"\nX: a\n"
        + b"Y: b\n" * 5_000
        + b"\nse\xc3\xb1al"
    )
    assert read_body(found).text == "señal"
    assert len(found) == 1_000


def test_our_own_mails_are_read_back_as_they_were_written() -> None:
    made = EmailMessage(policy=SMTP)
    made.set_content("Línea uno\n.punto\n\nÑandú 🙏\n" + "x" * 300, cte="quoted-printable")
    assert read_body(parse(made.as_bytes())).text == "Línea uno\n.punto\n\nÑandú 🙏\n" + "x" * 300

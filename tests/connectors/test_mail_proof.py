"""What proves that a mail's From is true, and what only looks as if it did."""

from __future__ import annotations

import time

import pytest

from connectors.mail_proof import sender_is_proven
from connectors.mail_text import parse

OURS = "mx.brand.example"
PASS = f"Authentication-Results: {OURS}; spf=fail smtp.mailfrom=x; dmarc=pass (p=reject dis=none) header.from=a.example"
FORGED = f"Authentication-Results: {OURS}; dmarc=pass header.from=a.example"
FAILS = f"Authentication-Results: {OURS} 1; dmarc=fail header.from=a.example"


@pytest.mark.parametrize(
    ("headers", "proven"),
    [
        ([PASS], True),
        ([PASS.replace(OURS, OURS.upper())], True),
        ([PASS.replace("; spf", ";\r\n spf")], True),
        ([PASS.replace(f"{OURS};", f"{OURS} 1;")], True),
        ([], False),
        ([FAILS], False),
        ([FAILS, FORGED], False),
        ([FORGED.replace(OURS, "mx.elsewhere.example")], False),
        ([FORGED.replace(OURS, f"{OURS}.evil.example")], False),
        ([FORGED.replace("a.example", "evil.example")], False),
        ([FORGED.replace("dmarc=pass", "dmarc=none (dmarc=pass)")], False),
        ([FORGED.replace("; dmarc=pass", "; x=(a (b) ; dmarc=pass")], False),
        ([FORGED.replace("dmarc=pass", "spf=pass")], False),
        ([FORGED + " header.from=evil.example"], False),
        (["From: evil@evil.example", PASS], False),
    ],
    ids=lambda value: str(value)[:60],
)
def test_only_what_our_own_server_found_counts(headers: list[str], proven: bool) -> None:
    mail = "\r\n".join(["From: Ana <ana@a.example>", *headers, "", "Hola"])
    assert sender_is_proven(parse(mail.encode()), "ana@a.example", OURS) is proven


def test_without_the_servers_name_nothing_is_proven() -> None:
    mail = parse(f"From: ana@a.example\r\n{PASS}\r\n\r\nHola".encode())
    assert not sender_is_proven(mail, "ana@a.example", "")
    assert not sender_is_proven(mail, "", OURS)


def test_headers_without_an_end_keep_nobody_waiting() -> None:
    comment = "(" + "\\(" * 2400
    mail = "From: ana@a.example\n" + f"Authentication-Results: {comment}\n" * 500 + "\nHola"
    begins = time.perf_counter()
    assert not sender_is_proven(parse(mail.encode()), "ana@a.example", OURS)
    assert time.perf_counter() - begins < 10, "once it took minutes"
